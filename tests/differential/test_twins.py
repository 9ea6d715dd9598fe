"""That the twins are twins, and that a difference between them is found."""

from __future__ import annotations

import pytest

from onseju.matching.native import NativeEngine
from onseju.matching.reference import ReferenceEngine
from tests.differential.twins import follow, twins_of_a_crowd
from tests.properties.driver import Driver
from tests.properties.test_busy_days import busy


def test_a_reference_is_compared_with_a_native_engine() -> None:
    driver, _ = busy(0, 1, ReferenceEngine())
    for twins in (follow(driver), twins_of_a_crowd("plain", {})):
        assert type(twins.reference) is ReferenceEngine
        assert type(twins.native) is NativeEngine


def test_an_engine_is_not_compared_with_its_own_kind() -> None:
    with pytest.raises(TypeError, match="its own kind"):
        follow(Driver(NativeEngine()))
