"""Texts of options that are no settings of encoding (:mod:`mtcodec.codec.texts`), and what they stand for.

All functions raise UsageError for a text that makes no sense.
"""

from __future__ import annotations

from mtcodec.codec.texts import assignments, floats
from mtcodec.errors import UsageError
from mtcodec.quality import number_of


def names(text: str) -> list[str] | None:
    """``"rgb, depth"`` to ["rgb", "depth"]; None for nothing."""
    if not text:
        return None
    listed = [name.strip() for name in text.split(",")]
    if not all(listed) or len(set(listed)) < len(listed):
        raise UsageError(f"not a list of different names: {text!r}")
    return listed


def weights_list(text: str) -> list[str]:
    """``"clevr,runs/other.safetensors"`` to names and paths of weights; none for nothing."""
    return text.split(",") if text else []


def lambda_list(text: str) -> tuple[float, ...] | None:
    """``"0.001,0.1"`` to (0.001, 0.1), or None for nothing."""
    if not text:
        return None
    lambdas = floats(text, "a list of λ")
    if not all(0 < lam < 100 for lam in lambdas):
        raise UsageError("λ must lie between 0 and 100")
    return lambdas


def size_values(text: str) -> dict[str, int | tuple[int, int]]:
    """``"latents=192,encoder_16=256x5"`` to {"latents": 192, "encoder_16": (256, 5)}: channels, blocks."""
    sizes: dict[str, int | tuple[int, int]] = {}
    for name, size in assignments(text.split(",") if text else [], "a size"):
        try:
            channels, *blocks = map(int, size.split("x", 1))
        except ValueError:
            raise UsageError(f"not a size: {size!r} (a number, or channels x blocks)") from None
        sizes[name] = (channels, blocks[0]) if blocks else channels
    return sizes


def bits_per_pixel(text: str) -> tuple[float, ...]:
    """``"0.2,0.04"`` to (0.2, 0.04), each from 1e-4 to 100."""
    listed = floats(text, "a list of bits per pixel")
    if not all(1e-4 <= bpp <= 100 for bpp in listed):
        raise UsageError(f"bits per pixel must be 0.0001 to 100, not {text}")
    return listed


def quality_list(text: str) -> list[float]:
    """``"20,high"`` to [20.0, 78.0]."""
    return [number_of(item.strip()) for item in text.split(",")]
