"""Maps of errors: how far every pixel of a decoded image is from the original."""

from __future__ import annotations

import numpy as np

from mtcodec.signals.mapping import Array
from mtcodec.signals.measures import angles
from mtcodec.signals.signal import Signal
from mtcodec.tasks import units
from mtcodec.view import colours
from mtcodec.view.colours import Floats, Rgb
from mtcodec.view.pictures import resize_mean
from mtcodec.view.scales import Scale, format_lengths, format_numbers, sample

TAIL_PERCENT = 0.5  # of the errors, the largest, share the last colour


def errors_of(signal: Signal, decoded: Array, unit: str = "") -> tuple[Floats, str]:
    """Errors (H, W) of a decoded image, and their unit; 0 in holes.

    Lengths are in metres, vectors' errors in degrees. Others are root mean squares over channels, of integers
    in levels of 8 bits.

    Args:
        signal: the original.
        unit: the length of a stored step, or "".
    """
    original, kind = signal.original, signal.task.kind
    if kind.unit_vectors:
        errors, error_unit = angles(original, decoded).reshape(original.shape[:2]), "°"
    else:
        errors, error_unit = np.abs(decoded.astype(np.float32) - original.astype(np.float32)), ""
        if errors.ndim == 3:
            errors = np.sqrt(np.square(errors).mean(axis=-1))
        if kind.length:
            errors, error_unit = errors * units.metres_of(signal.task, original.dtype.name, unit), "m"
        elif original.dtype.kind in "ui":
            errors, error_unit = errors * (255 / np.iinfo(original.dtype.name).max), "levels of 255"
    if signal.valid is not None:
        errors = np.where(signal.valid, errors, 0)
    return np.nan_to_num(errors), error_unit


def top_of(errors: Floats) -> float:
    """The error that few of ``errors``, (H, W), exceed; never 0."""
    return float(np.percentile(sample(errors, None), 100 - TAIL_PERCENT)) or float(errors.max()) or 1.0


def render_errors(
    errors: Floats, unit: str, shape: tuple[int, int], top: float | None = None
) -> tuple[Rgb, Scale]:
    """Colours (h, w, 3) of errors (H, W), and their scale, which ends at ``top``; None: :func:`top_of`."""
    top = top_of(errors) if top is None else top
    ticks: list[float] = [0.0, top / 2, top]
    texts, tick_unit = format_lengths(ticks) if unit == "m" else (format_numbers(ticks), unit)
    rgb = colours.apply_map(resize_mean(errors / top, shape), colours.ERROR_MAP)
    return rgb, Scale(colours.ERROR_MAP, texts, tick_unit)
