"""These tests need the compiled core; where it is missing they are left out, and the report says so."""

from __future__ import annotations

from importlib.util import find_spec

HAS_CORE = find_spec("onseju_core") is not None

if not HAS_CORE:
    collect_ignore_glob = ["test_*.py"]


def pytest_report_header() -> str | None:
    return None if HAS_CORE else "The native engine is not compiled (core/), so it is not compared with the reference."
