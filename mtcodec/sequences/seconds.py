"""Times and rates as users give them, as exact fractions."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from typing import Any

from mtcodec.container.cursor import MAX_SIGNED
from mtcodec.container.frames import MAX_RATE
from mtcodec.errors import UsageError

Seconds = float | int | Fraction | Decimal | str
"""A time in seconds. A float means the decimals that it is printed with; texts may be ``"30000/1001"``."""
MAX_SECONDS = MAX_SIGNED // MAX_RATE  # some 146 years, as times are kept to the nanosecond
MAX_FPS = 10**6


def is_measured(seconds: Any) -> bool:
    """Is it a float, of Python or NumPy?"""
    return isinstance(seconds, float) or getattr(getattr(seconds, "dtype", None), "kind", "") == "f"


def exact(seconds: Seconds) -> Fraction:
    """A time as it is written in decimals.

    Raises:
        UsageError: not a time.
    """
    try:
        time = seconds if isinstance(seconds, Fraction) else Fraction(str(seconds))
    except (ValueError, ZeroDivisionError) as error:
        raise UsageError(f"not a time in seconds: {seconds!r}") from error
    if abs(time) > MAX_SECONDS:
        raise UsageError(f"not a time in seconds: {seconds} (at most {MAX_SECONDS}; nanoseconds?)")
    return time


def frame_seconds(fps: Seconds) -> Fraction:
    """How long a frame is shown.

    Raises:
        UsageError: not a rate.
    """
    try:
        rate = exact(fps)
    except UsageError:
        rate = Fraction(0)
    if not 0 < rate <= MAX_FPS:
        raise UsageError(f"not a number of frames a second: {fps!r}")
    return 1 / rate
