"""A unit that is assumed, where it matters, is told."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from mtcodec.codec.api import Codec

PLAIN = Codec((), coding="classical")
TOLD = "(--unit depth=… tells it, such as depth=0.2mm)"


def warned(dtype: str, task: str = "depth", **settings: Any) -> tuple[str, ...]:
    ramp = np.linspace(20, 250, 16 * 16).reshape(16, 16).astype(dtype)
    return tuple(PLAIN.encode_scene({task: ramp}, 50, **settings).prepared.warnings)


@pytest.mark.filterwarnings("ignore:.*nobody tells its unit")
@pytest.mark.parametrize(
    ("dtype", "bound", "said"),
    [
        ("uint16", "5mm", "a stored 1 is taken for 1mm, and the bound 5mm for 5 of stored values"),
        ("int32", "1cm", "a stored 1 is taken for 1mm, and the bound 1cm for 10 of stored values"),
        ("float32", "5mm", "a stored 1 is taken for 1m, and the bound 5mm for 0.005 of stored values"),
        ("uint8", "5mm", "a stored 1 is taken for 1mm, and the bound 5mm for 5 of stored values"),
        ("uint8", 3.0, "a stored 1 is taken for 1mm"),
        ("uint8", None, "a stored 1 is taken for 1mm"),
    ],
)
def test_an_assumed_unit_is_told(dtype: str, bound: str | float | None, said: str) -> None:
    bounds = {} if bound is None else {"depth": bound}
    assert warned(dtype, max_error=bounds) == (f"depth: nobody tells its unit, so {said} {TOLD}",)


@pytest.mark.parametrize(
    ("dtype", "settings"),
    [
        ("uint16", {"max_error": {"depth": "5mm"}, "units": {"depth": "3.90625mm"}}),
        ("uint8", {"units": {"depth": "1cm"}}),
        ("uint16", {"max_error": {"depth": 5}}),
        ("uint16", {"max_error": {"depth": "5"}}),
        ("uint16", {"max_error": {"depth": "0mm"}}),
        ("uint16", {}),
    ],
)
def test_a_unit_that_is_known_or_does_not_matter_is_not_told(dtype: str, settings: Any) -> None:
    assert warned(dtype, **settings) == ()


def test_disparities_have_no_unit() -> None:
    assert warned("uint8", "disparity") == ()
