"""These tests compare the engines. Without the compiled core they are left out, and the report says so; in CI they fail."""

from __future__ import annotations

import os

from onseju.matching import engines

LACK = engines.native_lack()

if LACK is not None and os.environ.get("CI") != "true":
    collect_ignore_glob = ["test_*.py"]


def pytest_report_header() -> str | None:
    return None if LACK is None else f"The engines are not compared: {LACK}. {engines.advice()}"
