"""Structural similarity of pictures at several scales."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from mtcodec.signals.mapping import Array

SCALE_WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
"""Exponents of the five scales of MS-SSIM (Wang, Simoncelli, Bovik 2003, section 3.2)."""

WINDOW = 11
"""Side of the Gaussian window of SSIM in pixels; its standard deviation is 1.5."""

Floats = npt.NDArray[np.float64]


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
