"""Speed and size of a sequence: written, read in order, and frame by frame in any order."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

from mtcodec.codec.api import Codec
from mtcodec.codec.request import Request
from mtcodec.measure.bench import Clock
from mtcodec.measure.timing import timed
from mtcodec.sequences.read import Sequence as Clip
from mtcodec.sequences.totals import Totals
from mtcodec.sequences.write import GROUP, SequenceWriter
from mtcodec.signals.mapping import Array

RANDOM_FRAMES = 8  # that are read alone, each of a file that was just opened


def bench_sequence(
    codec: Codec, frames: Sequence[Mapping[str, Array]], request: Request, clock: Clock, group: int = GROUP
) -> dict[str, Any]:
    """Bytes of a sequence by frame, and milliseconds by frame.

    Args:
        frames: arrays by task, in the dtypes to be stored.
        clock: tells seconds.

    Returns:
        ``frames``, ``bytes``, ``bytes_per_frame``, ``encode_ms``, ``decode_ms`` in order, and ``random_ms``
        of single frames, of all tasks; by task in ``tasks`` the same of decoding it alone, and ``psnr`` in
        dB of all frames, where it is not kept exactly.
    """
    totals = Totals()
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "clip.mtc"
        codec.networks()  # which is no part of a frame's time
        _, encode_ms = timed(partial(_write, path, codec, frames, request, group, totals), clock)
        facts = Clip(path).info()
        count, psnr = len(frames), totals.psnr
        result: dict[str, Any] = {key: facts[key] for key in ("frames", "bytes", "bytes_per_frame")}
        result |= {"encode_ms": encode_ms / count, **_decoding(path, None, codec, clock, count)}
        result["tasks"] = {
            name: {
                "bytes": task["bytes"], "bytes_per_frame": task["bytes_per_frame"],
                **_decoding(path, [name], codec, clock, count),
                **({"psnr": psnr[name]} if name in psnr else {}),
            }
            for name, task in facts["tasks"].items()
        }  # fmt: skip
    return result


def _write(
    path: Path,
    codec: Codec,
    frames: Iterable[Mapping[str, Array]],
    request: Request,
    group: int,
    totals: Totals,
) -> None:
    with SequenceWriter(path, group=group, codec=codec, on_group=totals.add, **vars(request)) as writer:
        for frame in frames:
            writer.append(frame, layout="hwc")


def _decoding(
    path: Path, tasks: Sequence[str] | None, codec: Codec, clock: Clock, count: int
) -> dict[str, float]:
    """Milliseconds of a frame, in order and alone."""

    def read_all() -> None:
        for _ in Clip(path, tasks, codec.device, weights=codec.paths):
            pass

    def read_alone() -> None:
        numbers = Random(0).choices(range(count), k=RANDOM_FRAMES)
        for number in numbers:
            Clip(path, tasks, codec.device, weights=codec.paths).frames([number])

    read_alone()  # loads what is loaded once
    _, in_order = timed(read_all, clock)
    _, alone = timed(read_alone, clock)
    return {"decode_ms": in_order / count, "random_ms": alone / RANDOM_FRAMES}
