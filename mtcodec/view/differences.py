"""Maps of errors: how far every pixel of a decoded image is from the original."""

from __future__ import annotations

import numpy as np

from mtcodec.signals.mapping import Array
from mtcodec.signals.measures import angles
from mtcodec.signals.signal import Signal
from mtcodec.tasks import units
from mtcodec.view import colours
from mtcodec.view.colours import Bytes, Floats
from mtcodec.view.looks import Scale, lengths, numbers, sample
from mtcodec.view.pictures import smaller

TAIL = 0.5  # percent of the largest errors that share the last colour


def differences(signal: Signal, decoded: Array, unit: str = "") -> tuple[Floats, str]:
    """Errors (H, W) and their unit; zero in holes.

    Lengths are in metres, vectors' errors in degrees; others are root mean squares over channels, of integers
    in steps of 8 bits.
    """
    original, rules = signal.original, signal.task.kind
    if rules.unit_vectors:
        errors, name = angles(original, decoded).reshape(original.shape[:2]), "°"
    else:
        errors = np.abs(decoded.astype(np.float32) - original.astype(np.float32))
        errors = errors if errors.ndim == 2 else np.sqrt(np.square(errors).mean(axis=-1))
        name = ""
        if rules.length:
            errors, name = errors * units.metres_of(signal.task, original.dtype.name, unit), "m"
        elif original.dtype.kind in "ui":
            errors, name = errors * (255 / np.iinfo(original.dtype.name).max), "levels of 255"
    valid = signal.valid
    result: Floats = np.nan_to_num(errors if valid is None else np.where(valid, errors, 0))
    return result, name


def painted(errors: Floats, unit: str, shape: tuple[int, int]) -> tuple[Bytes, Scale]:
    """A map of errors, and what its colours mean; its end is the error that few pixels exceed."""
    values = sample(errors, None)
    top = float(np.percentile(values, 100 - TAIL)) or float(errors.max()) or 1.0
    ticks = [0.0, top / 2, top]
    texts, shown = lengths(ticks) if unit == "m" else (numbers(ticks), unit)
    return colours.mapped(smaller(errors / top, shape), colours.ERRORS), Scale(colours.ERRORS, texts, shown)
