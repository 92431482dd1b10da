"""Quality: 0 (smallest) to 100 (best), which stands for λ of the objective on a logarithmic scale.

λ is what one unit of squared error costs in bits: every coder minimises bits + λ · weight · D at the same λ;
D is the mean over channels of squared errors of planes · 255, summed over pixels. A quality level is
1/2048 of the range that networks are trained for; the upper quarter is for classical coders alone.
"""

from __future__ import annotations

import math
from typing import Any

from mtcodec.errors import UsageError

DEFAULT = 65.0
"""λ = 0.10: photographs and scans have about 41 dB in rgb (17 scenes: 36 to 44), renderings more."""
WORDS = {"low": 45.0, "medium": DEFAULT, "high": 78.0, "visually-lossless": 90.0}
"""Words that people may say instead."""
MAX_LEVEL = 2688
"""The level of quality 100."""
MAX_NETWORK_LEVEL = 2048
"""The highest level that networks are trained for."""
LAMBDA_MIN, LAMBDA_MAX = 2e-4, 0.3  # of levels 0 and MAX_NETWORK_LEVEL


def number_of(quality: str | float) -> float:
    """``"high"``, ``"60"`` or 60.0 as a number.

    Raises:
        UsageError: neither a word of :data:`WORDS` nor a number from 0 to 100.
    """
    try:
        number = WORDS[quality] if quality in WORDS else float(quality)
    except ValueError:
        raise UsageError(f"not a quality: {quality!r} (0 to 100, {', '.join(WORDS)})") from None
    if not 0 <= number <= 100:
        raise UsageError(f"quality must be 0 to 100, not {quality}")
    return number


def lambda_of(level: Any) -> Any:
    """λ at a quality ``level``, a number or a tensor of them."""
    return LAMBDA_MIN * (LAMBDA_MAX / LAMBDA_MIN) ** (level / MAX_NETWORK_LEVEL)


def level_of_lambda(lam: float) -> int:
    """The level whose λ is nearest to ``lam``."""
    share = math.log(lam / LAMBDA_MIN) / math.log(LAMBDA_MAX / LAMBDA_MIN)
    return round(min(max(share * MAX_NETWORK_LEVEL, 0.0), MAX_LEVEL))


def to_level(quality: float) -> int:
    """Quality 0 to 100 to its level."""
    return round(min(max(quality, 0.0), 100.0) * MAX_LEVEL / 100)


def from_level(level: int) -> float:
    """Level to quality, rounded to a tenth."""
    return round(level * 100 / MAX_LEVEL, 1)
