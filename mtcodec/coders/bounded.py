"""The smallest way to store images exactly, or with errors within a bound, on every machine."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from mtcodec.coders import labels, near_lossless, raw
from mtcodec.coders.candidate import Candidate, joined
from mtcodec.coders.masks import MaskPayloads
from mtcodec.errors import UsageError
from mtcodec.signals.mapping import Array, ValueRange, whole_range
from mtcodec.signals.signal import Signal

SPARSE_SHARE = 0.5  # share of valid pixels under which ``raw`` may be smaller than pictures
HOLES_OVERHEAD = 16  # bytes that descriptors take more where a section needs another with its holes


def encode(signal: Signal, bound: float = 0.0, effort: str = "normal") -> Candidate:
    """The smallest candidate whose values change by ``bound`` at most (0: not at all).

    Args:
        bound: in stored values; holes come back exactly whatever it is.
        effort: ``fast``, ``normal`` or ``best``.

    Raises:
        UsageError: not a bound.
    """
    if not bound >= 0:
        raise UsageError(f"not a bound of errors: {bound}", task=signal.task.name)
    frames = signal.frames()
    candidates = joined(signal, [_candidates(frame, bound, effort) for frame in frames], lambda c: c.bits)
    mostly_holes = signal.valid is not None and float(signal.valid.mean()) < SPARSE_SHARE
    if mostly_holes or not any(candidate.reference is None for candidate in candidates):
        first_bounded = next((i for i, c in enumerate(candidates) if c.reference), len(candidates))
        candidates.insert(first_bounded, raw.encode(signal))
    return _smallest(candidates, signal.frame_count)


def _candidates(signal: Signal, bound: float, effort: str) -> list[Candidate]:
    """Candidates for one frame, those first that change nothing."""
    candidates = _lossless_candidates(signal, effort)
    image, task = signal.original, signal.task
    if bound > 0 and not task.exact and image.dtype.kind != "b" and task.channels in (1, 3):
        if image.dtype.kind in "ui":
            bound = math.floor(bound)
        candidates += [
            candidate
            for candidate in near_lossless.candidates(signal, bound, effort)
            if _is_within(image, candidate.decoded(), bound)
        ]
    return candidates


def _smallest(candidates: Sequence[Candidate], frame_count: int) -> Candidate:
    """The candidate of fewest bytes; all of those with holes have the same ones, whose mask counts, too."""
    with_holes = [candidate for candidate in candidates if candidate.pixel_format.holes is not None]
    sizes = [len(candidate.payload) for candidate in candidates]
    if with_holes and len(with_holes) < len(candidates) and (holes := with_holes[0].pixel_format.holes):
        mask = MaskPayloads.encode(holes, frame_count, (True,) * frame_count)
        sizes = [
            size + HOLES_OVERHEAD + len(mask.payload(size)) + holes.values.nbytes
            if candidate.pixel_format.holes is not None
            else size
            for size, candidate in zip(sizes, candidates)
        ]
    return candidates[int(np.argmin(sizes))]


def _lossless_candidates(signal: Signal, effort: str) -> list[Candidate]:
    """Candidates that change nothing, and whose sections need no others."""
    image, task = signal.original, signal.task
    candidates: list[Candidate | None] = []
    if task.kind.name == "categories" or image.dtype.kind == "b":
        candidates.append(labels.encode(signal))
    if image.dtype.kind in "ui" and task.channels in (1, 3) and not any(candidates):
        candidates.append(
            near_lossless.encode_uniform(signal, image, _integer_range(signal), 0.0, None, effort)
        )
        if task.exact:
            candidates.append(labels.encode(signal))
    return [candidate for candidate in candidates if candidate is not None]


def _integer_range(signal: Signal) -> ValueRange:
    """The range of an image of integers, or its dtype's where that needs no bytes in the descriptor."""
    image = signal.original
    needs_range = (
        signal.task.uses_scene_range(image.dtype.name) or image.dtype.itemsize > 2 or image.dtype.kind == "i"
    )
    if needs_range:
        return signal.original_range
    return whole_range(image.dtype.name)


def _is_within(original: Array, decoded: Array, bound: float) -> bool:
    """Are values off by ``bound`` at most? Floats may be too large for that."""
    finite = np.isfinite(original)
    error = np.abs(decoded[finite].astype(np.float64) - original[finite].astype(np.float64))
    return error.size == 0 or float(error.max()) <= bound
