"""Archives for ``fuzz.py``: rows with mutated columns, and whole Parquet files with mutated bytes.

A *row* is written as the target ``archive`` of ``targets.py`` reads it, without the first byte.
"""

from __future__ import annotations

import random
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from shared.targets import MANIFEST, Input, Row, decode_entry, decode_row, row_bytes, row_of

from mtcodec import Codec
from mtcodec.archive import read, write
from mtcodec.archive.manifest import FIXED
from mtcodec.archive.rows import columns_of
from mtcodec.archive.rows import row_of as archive_row
from mtcodec.container.header import parse
from mtcodec.container.mtc import split
from mtcodec.errors import FormatError

FOOTER_BYTES = 2500  # at the end of a shard, which are mutated more often than others
FLIPS = (1, 1, 3)  # numbers of flipped bits


def row_from(data: bytes) -> Row:
    """The columns of a file; those that the archive has not are left out.

    Raises:
        FormatError: not a whole file.
    """
    header, payloads = split(data)
    columns = columns_of(parse(header), payloads)
    return {"header": header} | {name: columns.get(name) for name in MANIFEST.payload_columns}


def part_from(files: Sequence[bytes]) -> bytes:
    """A shard of an archive with a row for every scene whose tasks it has."""
    scenes = [data for data in files if parse(data).frames is None]
    rows = [archive_row(f"s{k}", data, MANIFEST.tasks) for k, data in enumerate(scenes)]
    known = {*FIXED, *MANIFEST.statistics_columns, *MANIFEST.payload_columns}
    return write.to_parquet([row for row in rows if set(row) <= known], MANIFEST)


# --- mutations ---------------------------------------------------------------------------------------


def null(rng: random.Random, row: Row, donor: Row) -> None:
    row[_column(rng, row)] = None


def emptied(rng: random.Random, row: Row, donor: Row) -> None:
    row[_column(rng, row)] = b""


def truncated(rng: random.Random, row: Row, donor: Row) -> None:
    name = _column(rng, row)
    row[name] = (row[name] or b"")[: rng.randrange(len(row[name] or b"") + 1)]


def longer(rng: random.Random, row: Row, donor: Row) -> None:
    name = _column(rng, row)
    row[name] = (row[name] or b"") + rng.randbytes(rng.choice((1, 2, 50)))


def flipped(rng: random.Random, row: Row, donor: Row) -> None:
    name = _column(rng, row)
    if row[name]:
        row[name] = flip_bits(rng, row[name] or b"", FLIPS)


def noise(rng: random.Random, row: Row, donor: Row) -> None:
    name = _column(rng, row)
    row[name] = rng.randbytes(len(row[name] or b""))


def swapped(rng: random.Random, row: Row, donor: Row) -> None:
    """Two columns of a row."""
    a, b = _column(rng, row), _column(rng, row)
    row[a], row[b] = row[b], row[a]


def exchanged(rng: random.Random, row: Row, donor: Row) -> None:
    """A column of another row."""
    name = _column(rng, row)
    row[name] = donor[name]


def other_header(rng: random.Random, row: Row, donor: Row) -> None:
    row["header"] = donor["header"]


ROW_MUTATIONS = (null, emptied, truncated, longer, flipped, noise, swapped, exchanged, other_header)


def _column(rng: random.Random, row: Row) -> str:
    return rng.choice(sorted(row))


def flip_bits(rng: random.Random, data: bytes, counts: Sequence[int]) -> bytes:
    """``data`` with as many bits flipped as one of ``counts`` says."""
    flipped_data = bytearray(data)
    for _ in range(rng.choice(counts)):
        flipped_data[rng.randrange(len(flipped_data))] ^= 1 << rng.randrange(8)
    return bytes(flipped_data)


def mutated_row(rng: random.Random, data: bytes, donor: bytes) -> tuple[str, bytes]:
    """A row made of two files, and what was done to it."""
    row, names = row_from(data), []
    for _ in range(rng.choice((0, 1, 1, 2))):
        mutation = rng.choice(ROW_MUTATIONS)
        mutation(rng, row, row_from(donor))
        names.append(f"row {mutation.__name__}")
    return "+".join(names) or "row", row_bytes(row)


def mutated_part(rng: random.Random, part: bytes) -> tuple[str, bytes]:
    """A part of an archive with bytes flipped, cut out, put in or exchanged."""
    at = rng.randrange(len(part)) if rng.random() < 0.3 else len(part) - rng.randrange(1, FOOTER_BYTES)
    at = max(at, 0)
    kind = rng.choice(("flipped", "flipped", "flipped", "noise", "cut", "longer", "shortened"))
    if kind == "flipped":
        window = slice(at, at + rng.choice((1, 1, 4, 40)))
        return f"part {kind}", part[:at] + flip_bits(rng, part[window], FLIPS) + part[window.stop :]
    if kind == "noise":
        size = rng.choice((1, 2, 8))
        return f"part {kind}", part[:at] + rng.randbytes(size) + part[at + size :]
    if kind == "cut":
        return f"part {kind}", part[:at]
    if kind == "longer":
        return f"part {kind}", part[:at] + rng.randbytes(rng.choice((1, 8))) + part[at:]
    return f"part {kind}", part[:at] + part[at + rng.choice((1, 8, 100)) :]


# --- outcomes ----------------------------------------------------------------------------------------


def row_outcome(codec: Codec, data: bytes) -> str:
    return decode_row(codec, row_of(Input(data)))


def part_outcome(codec: Codec, data: bytes) -> str:
    """What becomes of an archive of one part, ``data``."""
    with tempfile.TemporaryDirectory() as directory:
        (Path(directory) / "shard-00000.parquet").write_bytes(data)
        try:
            opened = read.ArchiveReader(directory)
            outcomes = {decode_entry(codec, entry) for entry in opened.all_entries()}
        except FormatError:
            return "refused"
    return outcomes.pop() if len(outcomes) == 1 else "partial"


ROW_OUTCOMES: dict[str, Callable[[Codec, bytes], str]] = {"row": row_outcome, "part": part_outcome}
