"""Quality: a number from 0 (smallest) to 100 (best), stored as one of 2049 steps."""

from __future__ import annotations

STEPS = 2048
DEFAULT = 60.0


def to_step(quality: float) -> int:
    """Quality 0..100 to its step 0..2048."""
    return round(min(max(quality, 0.0), 100.0) * STEPS / 100)


def from_step(step: int) -> float:
    """Step to quality, rounded to a tenth."""
    return round(step * 100 / STEPS, 1)
