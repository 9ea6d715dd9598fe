"""The engines that scenarios are played on; the native one where it is compiled."""

from __future__ import annotations

from importlib.util import find_spec

import pytest

_is_missing = pytest.mark.skipif(find_spec("onseju_core") is None, reason="the native engine is not compiled (core/)")

ENGINES = ["reference", pytest.param("native", marks=_is_missing)]
