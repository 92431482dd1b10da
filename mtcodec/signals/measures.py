"""How close a decoded image is to the original, measured by what the task's values mean.

Every metric reads stored values in their own dtype. Which ones apply follows from the task's kind
alone, so a task that a user defines is measured like the built-in ones of its kind.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from statistics import fmean

import numpy as np
import numpy.typing as npt

from mtcodec.errors import UsageError
from mtcodec.signals.mapping import Array
from mtcodec.signals.ms_ssim import ms_ssim
from mtcodec.signals.signal import Signal

PSNR_CAP = 99.0
"""PSNR of identical images, in dB: a finite number, so that means over scenes stay finite."""

DELTA = 1.25
"""Depth within this factor counts as near: the δ of depth estimation."""

CHUNK_VALUES = 1 << 20
"""Values that are compared at a time."""

Floats = npt.NDArray[np.float64]


def mse(original: Array, decoded: Array, peak: float) -> float:
    """Mean squared error over all values, scaled so that ``peak`` is 255; zero where there are none."""
    if original.size == 0:
        return 0.0
    total = sum(float(np.square(error).sum()) for error in _differences(original, decoded))
    return total / original.size * (255.0 / peak) ** 2


def psnr(original: Array, decoded: Array, peak: float) -> float:
    """Peak signal-to-noise ratio in dB over all values, at most :data:`PSNR_CAP`."""
    return psnr_of(mse(original, decoded, peak))


def psnr_of(error: float) -> float:
    """The same of a mean squared error as :func:`mse` gives it."""
    if error == 0.0:
        return PSNR_CAP
    return min(PSNR_CAP, 10.0 * math.log10(255.0**2 / error))


def peak_of(signal: Signal) -> float:
    """The PSNR peak: the range (max - min) without holes for depth and floats, else the dtype's maximum."""
    span = signal.pixel_format.value_range.span
    return span if span > 0 else 1.0


def errors(signal: Signal, decoded: Array) -> dict[str, float]:
    """``psnr`` in dB and ``mse`` over pixels that are no holes, with the peak of :func:`peak_of`."""
    peak, pair = peak_of(signal), _valid(signal, decoded)
    return {"psnr": psnr(*pair, peak), "mse": mse(*pair, peak)}


def _valid(signal: Signal, decoded: Array) -> tuple[Array, Array]:
    """Original and decoded without the holes of the original: (H, W, …), or (N, …) where there are holes.

    Decoded values that are not finite count as 0.
    """
    where, original = signal.valid, signal.original
    pair = (original, decoded) if where is None else (original[where], decoded[where])
    if decoded.dtype.kind != "f" or np.isfinite(pair[1]).all():
        return pair
    return pair[0], np.nan_to_num(pair[1], nan=0.0, posinf=0.0, neginf=0.0)


def _vectors(image: Array) -> Floats:
    """(H, W, 3) stored values to (H*W, 3) vectors: ``n = stored/max * 2 - 1`` of integers."""
    values = image.reshape(-1, image.shape[-1]).astype(np.float64)
    return values if image.dtype.kind == "f" else values / float(np.iinfo(image.dtype.name).max) * 2.0 - 1.0


def _angles(original: Array, decoded: Array) -> Iterator[Floats]:
    """Angles in degrees between stored vectors, (…, 3), both normalised first.

    A decoded zero vector counts as 90 degrees.
    """
    for originals, decodeds in _chunks(original, decoded):
        yield angles(originals, decodeds)


def angles(original: Array, decoded: Array) -> Floats:
    """Angles in degrees, (N), between stored vectors, (…, 3); a decoded zero vector counts as 90."""
    a, b = _vectors(original), _vectors(decoded)
    length, decoded_length = np.linalg.norm(a, axis=1), np.linalg.norm(b, axis=1)
    cosine = np.sum(a * b, axis=1) / np.maximum(length * decoded_length, 1e-12)
    cosine[decoded_length < 1e-9] = 0.0
    result: Floats = np.degrees(np.arccos(np.clip(cosine, -1.0, 1.0)))
    return result


def _mean_angle(original: Array, decoded: Array) -> float:
    total, count = 0.0, 0
    for degrees in _angles(original, decoded):
        total, count = total + float(degrees.sum()), count + len(degrees)
    return total / count


def _median_angle(original: Array, decoded: Array) -> float:
    return float(np.median(np.concatenate(list(_angles(original, decoded)))))


def _chunks(original: Array, decoded: Array) -> Iterator[tuple[Array, Array]]:
    """Rows of both that are together of about CHUNK_VALUES values: float64 takes eight times the memory."""
    rows = max(1, CHUNK_VALUES * len(original) // max(original.size, 1))
    for start in range(0, len(original), rows):
        yield original[start : start + rows], decoded[start : start + rows]


def _differences(original: Array, decoded: Array) -> Iterator[Floats]:
    for originals, decodeds in _chunks(original, decoded):
        yield decodeds.astype(np.float64) - originals.astype(np.float64)


def _rmse(original: Array, decoded: Array) -> float:
    total = sum(float(np.square(error).sum()) for error in _differences(original, decoded))
    return math.sqrt(total / original.size)


def _max_error(original: Array, decoded: Array) -> float:
    return max(float(np.abs(error).max()) for error in _differences(original, decoded))


def _abs_rel(original: Array, decoded: Array) -> float:
    """Mean of |error| / |value|, over values that are not zero."""
    total, count = 0.0, 0
    for (originals, _), error in zip(_chunks(original, decoded), _differences(original, decoded)):
        true = np.abs(originals.astype(np.float64))
        not_zero = true > 0
        total += float((np.abs(error)[not_zero] / true[not_zero]).sum())
        count += int(not_zero.sum())
    return total / count if count else 0.0


def _delta(original: Array, decoded: Array) -> float:
    """Share of the values above zero that are off by a factor below 1.25."""
    near, count = 0, 0
    for originals, decodeds in _chunks(original, decoded):
        true, value = originals.astype(np.float64), decodeds.astype(np.float64)
        true, value = true[true > 0], value[true > 0]
        near += int(((value < DELTA * true) & (true < DELTA * value)).sum())
        count += len(true)
    return near / count if count else 1.0


OVER_VALID: dict[str, Callable[[Array, Array], float]] = {
    "rmse": _rmse,
    "max_error": _max_error,
    "abs_rel": _abs_rel,
    "delta": _delta,
    "angle_deg": _mean_angle,
    "angle_median_deg": _median_angle,
}
"""Measures over pixels that are no holes, by name (:attr:`mtcodec.tasks.Kind.measures`)."""


def holes_differ(signal: Signal, decoded: Array) -> int:
    """Pixels where a hole of the original has another stored value, or a measurement became such a hole."""
    before, after = (image.reshape(*image.shape[:2], -1) for image in (signal.original, decoded))
    holes = signal.pixel_format.holes
    is_float = after.dtype.kind == "f"
    is_hole = ~np.isfinite(after).all(-1) if is_float else np.zeros(after.shape[:2], bool)
    if holes is None:
        return int(is_hole.sum())
    for value in holes.values:
        is_hole |= (after == value).all(-1)
    is_same = before == after
    if is_float:
        is_same |= np.isnan(before) & np.isnan(after)
    return int(np.where(holes.valid, is_hole, ~is_same.all(-1)).sum())


def measure(signal: Signal, decoded: Array, slow: bool = False) -> dict[str, float]:
    """All measures of the kind of ``signal``.

    Args:
        decoded: shape and dtype of the original; of several frames, all measures are over all of them.
        slow: those that take seconds for a large image, too.

    Returns:
        ``exact`` (0 or 1) for tasks that are kept exactly, with ``differing`` (slow), the share of pixels.
        Otherwise what :func:`errors` gives, with ``ms_ssim`` (slow) for colour, ``angle_deg`` and
        ``angle_median_deg`` (slow) for vectors, and for depth ``rmse``, ``max_error`` (stored values),
        ``abs_rel`` and ``delta`` (slow), the share that is off by a factor below 1.25. A measure over valid
        pixels is left out where there are none.
    """
    original, task = signal.original, signal.task
    if original.shape != decoded.shape or original.dtype != decoded.dtype:
        raise UsageError(
            f"cannot compare {original.dtype} {original.shape} with {decoded.dtype} {decoded.shape}",
            task=task.name,
        )
    if task.exact:
        return _exactness(original, decoded, slow)
    result = errors(signal, decoded)
    pair = _valid(signal, decoded)
    names = (*task.kind.measures, *task.kind.slow_measures) if slow else task.kind.measures
    if pair[0].size:
        result |= {name: OVER_VALID[name](*pair) for name in names if name in OVER_VALID}
    if "ms_ssim" in names:
        pairs = zip(signal.frames(), np.split(decoded, signal.frame_count))
        result["ms_ssim"] = fmean(ms_ssim(frame.original, image, peak_of(signal)) for frame, image in pairs)
    return result


def _exactness(original: Array, decoded: Array, slow: bool) -> dict[str, float]:
    result = {"exact": float(np.array_equal(original, decoded, equal_nan=original.dtype.kind == "f"))}
    if slow:
        differ = original != decoded
        if original.dtype.kind == "f":
            differ &= ~(np.isnan(original) & np.isnan(decoded))
        result["differing"] = float(differ.reshape(*original.shape[:2], -1).any(-1).mean())
    return result
