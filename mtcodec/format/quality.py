"""Quality: a number from 0 (smallest) to 100 (best), stored as one of 2049 steps."""

from __future__ import annotations

from typing import Any

STEPS = 2048
DEFAULT = 60.0
LAMBDA_MIN, LAMBDA_MAX = 2e-4, 0.3  # of the lowest and the highest quality


def lambda_of(step: Any) -> Any:
    """λ of the objective bpp + λ·255²·MSE at quality ``step``, a number or a tensor of them."""
    return LAMBDA_MIN * (LAMBDA_MAX / LAMBDA_MIN) ** (step / STEPS)


def to_step(quality: float) -> int:
    """Quality 0..100 to its step 0..2048."""
    return round(min(max(quality, 0.0), 100.0) * STEPS / 100)


def from_step(step: int) -> float:
    """Step to quality, rounded to a tenth."""
    return round(step * 100 / STEPS, 1)
