"""What hostile bytes are fed to, of sequences: their index, and whole files. See ``targets.py``."""

from __future__ import annotations

import json
import tempfile
import warnings
import zlib
from collections.abc import Callable
from contextlib import suppress
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import numpy as np
from shared.clips import frame_of

from mtcodec.container.section import array_shape
from mtcodec.container.sequence import BEGINNING, TRAILER, TRAILER_MAGIC, pack_index, parse_index
from mtcodec.errors import FormatError, SceneError, UsageError, WeightsNotFound
from mtcodec.sequences.copying import cut
from mtcodec.sequences.info import sequence_summary
from mtcodec.sequences.read import Sequence
from mtcodec.sequences.write import SequenceWriter

MAX_PIXELS = 1 << 18
MAX_DECODED = 12  # frames of a file


def index(data: bytes) -> None:
    """An index has one form of bytes."""
    groups, tasks = parse_index(data)
    assert pack_index(groups, tasks)[: -TRAILER.size] == data, "two indexes for the same groups"


def sequence(data: bytes) -> None:
    """Files: the bytes as they are, or groups and an index (after its length) under a right trailer."""
    file = data[1:]
    if data[:1] > b"\x7f":
        length = int.from_bytes(data[1:3], "little")
        index, groups = data[3 : 3 + length], data[3 + length :]
        trailer = TRAILER.pack(len(index), zlib.crc32(index), TRAILER_MAGIC)
        file = BEGINNING + groups + index + trailer
    clip = Sequence(file, max_pixels=MAX_PIXELS, tell=lambda line: None)
    _check_index(clip, len(file))
    json.dumps(sequence_summary(clip))
    _check_times(clip)
    refused: list[FormatError] = []
    for number in range(min(len(clip), MAX_DECODED)):
        try:
            _check_frame(clip, number)
        except (FormatError, WeightsNotFound) as error:
            refused.append(FormatError(str(error)))
    if refused:
        raise refused[0]
    if clip.index.problem == "":
        _check_copy(clip)


def _check_index(clip: Sequence, size: int) -> None:
    """Groups lie in the file, one after the other."""
    end = len(BEGINNING) if clip.index.groups and clip.index.groups[0].offset else 0
    for group in clip.index.groups:
        assert end <= group.offset and group.offset + group.size <= size
        assert group.offset == end or clip.index.lost
        end = group.offset + group.size


def _check_times(clip: Sequence) -> None:
    """Every frame is shown at its time, or one of the same time."""
    with suppress(FormatError):
        assert len(clip.names) == len(clip)
    try:
        times = clip.times
        if times is not None and all(before <= after for before, after in pairwise(times)):
            for number, time in list(enumerate(times))[:MAX_DECODED]:
                exact = clip.exact_time(number)
                assert isinstance(exact, Fraction) and times[clip.number_at(time)] == time
                assert clip.exact_time(clip.number_at(exact)) == exact
    except (FormatError, UsageError):  # times that no one can ask for
        return


def _check_frame(clip: Sequence, number: int) -> None:
    frame = clip[number]
    header = clip.group(clip.group_of(number)).header
    for name, image in frame.items():
        attributes = header.task(name).attributes
        shape = array_shape(attributes.shape, header.size_of(name), attributes.channels)
        assert image.shape == shape and image.dtype.name == attributes.dtype, f"{image.shape} {image.dtype}"


def _check_copy(clip: Sequence) -> None:
    """What is whole can be copied, and says the same."""
    out = bytearray()
    with suppress(FormatError, UsageError, SceneError):
        cut(clip, out.extend)
        again = Sequence(out, max_pixels=MAX_PIXELS, tell=lambda line: None)
        assert len(again) == len(clip) and not again.index.problem
        assert set(again[0]) == set(clip[0])


TARGETS: dict[str, Callable[[bytes], None]] = {"index": index, "sequence": sequence}


# --- what fuzzing starts from ------------------------------------------------------------------------------


def seeds() -> dict[str, list[bytes]]:
    """Valid inputs: a few sequences as they are, and their groups and indexes."""
    files = [_clip(times=True), _clip(times=False)]
    by_target: dict[str, list[bytes]] = {"index": [], "sequence": []}
    for file in files:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            end = Sequence(file).index.end
        index = file[end : -TRAILER.size]
        by_target["index"].append(index)
        by_target["sequence"] += [b"\0" + file, b"\0" + file[:end]]
        by_target["sequence"].append(
            b"\xff" + len(index).to_bytes(2, "little") + index + file[len(BEGINNING) : end]
        )
    return by_target


def _clip(times: bool) -> bytes:
    """Five frames in groups of two: one lacks depth, there are numbers, and an attached file."""
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "c.mtc"
        with SequenceWriter(
            path, group=2, coding="classical", effort="fast", max_error={"depth": 0}
        ) as writer:
            for number in range(5):
                frame = {**frame_of(number), "reading": np.arange(3.0) + number}
                if number == 3:
                    del frame["depth"]
                time = (
                    {"rgb": Fraction(number, 30), "reading": Fraction(number, 30) + Fraction(1, 90)}
                    if times
                    else None
                )
                writer.append(frame, time, attach={f"{number}.txt": b"x"} if number == 2 else None)
        return path.read_bytes()
