"""How close a decoded image is to the original, measured by what the task's values mean.

Every metric reads stored values in their own dtype. Which ones apply follows from the task's kind
alone, so a task that a user defines is measured like the built-in ones of its kind.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import numpy as np
import numpy.typing as npt

from mtcodec.errors import UsageError
from mtcodec.signal.mapping import Array
from mtcodec.signal.signal import Signal

PSNR_CAP = 99.0
"""PSNR of identical images, in dB: a finite number, so that means over scenes stay finite."""

SCALE_WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
"""Exponents of the five scales of MS-SSIM (Wang, Simoncelli, Bovik 2003, section 3.2)."""

WINDOW = 11
"""Side of the Gaussian window of SSIM in pixels; its standard deviation is 1.5."""

PART = 1 << 20
"""Values that are compared at a time."""

Floats = npt.NDArray[np.float64]


def mse(original: Array, decoded: Array, peak: float) -> float:
    """Mean squared error over all values, scaled so that ``peak`` is 255; zero where there are none."""
    if original.size == 0:
        return 0.0
    total = sum(float(np.square(part).sum()) for part in _differences(original, decoded))
    return total / original.size * (255.0 / peak) ** 2


def psnr(original: Array, decoded: Array, peak: float) -> float:
    """Peak signal-to-noise ratio in dB over all values, at most :data:`PSNR_CAP`."""
    error = mse(original, decoded, peak)
    if error == 0.0:
        return PSNR_CAP
    return min(PSNR_CAP, 10.0 * math.log10(255.0**2 / error))


def peak_of(signal: Signal) -> float:
    """The PSNR peak: the range (max - min) without holes for depth and floats, else the dtype's maximum."""
    span = signal.form.scale.span
    return span if span > 0 else 1.0


def errors(signal: Signal, decoded: Array) -> dict[str, float]:
    """``psnr`` in dB and ``mse`` over pixels that are no holes, with the peak of :func:`peak_of`."""
    peak, pair = peak_of(signal), _valid(signal, decoded)
    return {"psnr": psnr(*pair, peak), "mse": mse(*pair, peak)}


def _valid(signal: Signal, decoded: Array) -> tuple[Array, Array]:
    """Original and decoded without the holes of the original: (H, W, …), or (N, …) where there are holes."""
    where = signal.valid
    return (signal.original, decoded) if where is None else (signal.original[where], decoded[where])


def _blur(planes: Floats, window: Floats) -> Floats:
    """Separable filter over the last two axes, valid positions only."""
    for _ in range(2):
        size = planes.shape[-2] - len(window) + 1
        total = np.zeros((*planes.shape[:-2], size, planes.shape[-1]))
        for k, weight in enumerate(window):
            total += planes[..., k : k + size, :] * weight
        planes = np.ascontiguousarray(np.swapaxes(total, -1, -2))
    return planes


def _ssim_terms(x: Floats, y: Floats, peak: float, window: Floats) -> tuple[Floats, Floats]:
    """Per channel: mean of luminance x contrast-structure, and mean of contrast-structure alone."""
    c1, c2 = (0.01 * peak) ** 2, (0.03 * peak) ** 2
    mu_x, mu_y, xx, yy, xy = _blur(np.stack([x, y, x * x, y * y, x * y]), window)
    contrast = (2 * (xy - mu_x * mu_y) + c2) / (xx - mu_x**2 + yy - mu_y**2 + c2)
    luminance = (2 * mu_x * mu_y + c1) / (mu_x**2 + mu_y**2 + c1)
    return (luminance * contrast).mean((-1, -2)), contrast.mean((-1, -2))


def _halve(planes: Floats) -> Floats:
    """2x2 averages; an odd last row or column is dropped."""
    height, width = planes.shape[-2] // 2 * 2, planes.shape[-1] // 2 * 2
    even = planes[..., :height, :width]
    return (even[..., ::2, ::2] + even[..., 1::2, ::2] + even[..., ::2, 1::2] + even[..., 1::2, 1::2]) / 4


def scale_count(height: int, width: int) -> int:
    """Scales of MS-SSIM that the image allows: the window must fit; five from 176 pixels on."""
    side = min(height, width)
    return max(1, sum(side >> scale >= WINDOW for scale in range(len(SCALE_WEIGHTS))))


def ms_ssim(original: Array, decoded: Array, peak: float) -> float:
    """Multi-scale structural similarity (Wang et al. 2003), per channel, then averaged; 1 is identical.

    Images with a side below 176 pixels use fewer scales, with the exponents of those scaled to sum
    to one, and below 11 pixels a smaller window: such values compare with each other only.
    """
    x, y = (np.moveaxis(np.atleast_3d(i).astype(np.float64), -1, 0) for i in (original, decoded))
    scales = scale_count(*x.shape[-2:])
    weights = np.array(SCALE_WEIGHTS[:scales]) / sum(SCALE_WEIGHTS[:scales])
    positions = np.arange(min(WINDOW, *x.shape[-2:]), dtype=np.float64)
    window = np.exp(-((positions - positions.mean()) ** 2) / (2 * 1.5**2))
    window /= window.sum()
    result = np.ones(len(x))
    for scale, weight in enumerate(weights):
        full, contrast = _ssim_terms(x, y, peak, window)
        term = full if scale == scales - 1 else contrast
        result *= np.maximum(term, 0.0) ** weight
        if scale < scales - 1:
            x, y = _halve(x), _halve(y)
    return float(result.mean())


def _vectors(image: Array) -> Floats:
    """(H, W, 3) stored values to (H*W, 3) vectors: ``n = stored/max * 2 - 1`` of integers."""
    values = image.reshape(-1, image.shape[-1]).astype(np.float64)
    return values if image.dtype.kind == "f" else values / float(np.iinfo(image.dtype.name).max) * 2.0 - 1.0


def mean_angle(original: Array, decoded: Array) -> float:
    """Mean angle in degrees between stored vectors, (…, 3), both normalised first.

    A decoded zero vector counts as 90 degrees.
    """
    total, count = 0.0, 0
    for one, two in _parts(original, decoded):
        found = angles(one, two)
        total += float(found.sum())
        count += len(found)
    return total / count


def angles(original: Array, decoded: Array) -> Floats:
    """Angles in degrees, (N), between stored vectors, (…, 3), as :func:`mean_angle` counts them."""
    a, b = _vectors(original), _vectors(decoded)
    length, other = np.linalg.norm(a, axis=1), np.linalg.norm(b, axis=1)
    cosine = np.sum(a * b, axis=1) / np.maximum(length * other, 1e-12)
    cosine[other < 1e-9] = 0.0
    result: Floats = np.degrees(np.arccos(np.clip(cosine, -1.0, 1.0)))
    return result


def _parts(original: Array, decoded: Array) -> Iterator[tuple[Array, Array]]:
    """Rows of both that are together of about PART values: float64 takes eight times the memory."""
    step = max(1, PART * len(original) // max(original.size, 1))
    for start in range(0, len(original), step):
        yield original[start : start + step], decoded[start : start + step]


def _differences(original: Array, decoded: Array) -> Iterator[Floats]:
    for one, two in _parts(original, decoded):
        yield two.astype(np.float64) - one.astype(np.float64)


def _rmse(original: Array, decoded: Array) -> float:
    total = sum(float(np.square(part).sum()) for part in _differences(original, decoded))
    return math.sqrt(total / original.size)


def _max_error(original: Array, decoded: Array) -> float:
    return max(float(np.abs(part).max()) for part in _differences(original, decoded))


def _abs_rel(original: Array, decoded: Array) -> float:
    """Mean of |error| / |value|, over values that are not zero."""
    total, count = 0.0, 0
    for (one, _), error in zip(_parts(original, decoded), _differences(original, decoded)):
        true = np.abs(one.astype(np.float64))
        seen = true > 0
        total += float((np.abs(error)[seen] / true[seen]).sum())
        count += int(seen.sum())
    return total / count if count else 0.0


OVER_VALID: dict[str, Callable[[Array, Array], float]] = {
    "rmse": _rmse,
    "max_error": _max_error,
    "abs_rel": _abs_rel,
    "angle_deg": mean_angle,
}
"""Measures over pixels that are no holes, by name (:attr:`mtcodec.tasks.Kind.measures`)."""


def measure(signal: Signal, decoded: Array, slow: bool = False) -> dict[str, float]:
    """All measures of the kind of ``signal``.

    Args:
        decoded: shape and dtype of the original.
        slow: those that take seconds for a large image, too.

    Returns:
        ``exact`` (0 or 1) for tasks that are kept exactly; otherwise what :func:`errors` gives, with
        ``ms_ssim`` (slow) for colour, ``angle_deg`` (degrees) for vectors, and for depth ``rmse``,
        ``max_error`` (stored values) and ``abs_rel``. A measure over valid pixels is left out where there
        are none.
    """
    original, task = signal.original, signal.task
    if original.shape != decoded.shape or original.dtype != decoded.dtype:
        raise UsageError(
            f"cannot compare {original.dtype} {original.shape} with {decoded.dtype} {decoded.shape}",
            task=task.name,
        )
    if task.exact:
        return {"exact": float(np.array_equal(original, decoded, equal_nan=original.dtype.kind == "f"))}
    result = errors(signal, decoded)
    pair = _valid(signal, decoded)
    if pair[0].size:
        result |= {name: OVER_VALID[name](*pair) for name in task.rules.measures}
    if slow and "ms_ssim" in task.rules.slow_measures:
        result["ms_ssim"] = ms_ssim(original, decoded, peak_of(signal))
    return result
