"""Tables of numbers as text: ``.csv`` and ``.txt``."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from mtcodec.files.notes import Note, list_names
from mtcodec.files.sources import UnreadableImage, printable
from mtcodec.messages import Loss
from mtcodec.signals.mapping import Array

_WHOLE = re.compile(r"[+-]?[0-9]{1,400}")
_NUMBER = re.compile(
    r"[+-]?(?:[0-9]+\.?[0-9]*(?:[eE][+-]?[0-9]+)?|\.[0-9]+(?:[eE][+-]?[0-9]+)?|nan|inf|infinity)",
    re.IGNORECASE,
)
INT64 = np.iinfo(np.int64)


def read_table(data: bytes, tell: Note) -> Array:
    """Numbers (rows, columns) of a table, or (rows,) of one column; int64 if all are whole, else float64.

    The first line may be names of columns; ``tell`` takes a line about these, as they are left out. Empty
    lines, and those that begin with ``#``, are no rows.

    Raises:
        UnreadableImage: no table of numbers, or whole numbers that no int64 or float64 holds exactly.
    """
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise UnreadableImage("it is no text in UTF-8") from None
    lines = [(number, line.strip()) for number, line in enumerate(text.split("\n"), 1)]
    lines = [(number, line) for number, line in lines if line and not line.startswith("#")]
    if not lines:
        raise UnreadableImage("it holds no numbers")
    delimiter = next((mark for mark in (",", "\t") if mark in lines[-1][1]), None)
    rows = [(number, [cell.strip() for cell in line.split(delimiter)]) for number, line in lines]
    if _is_header(rows[0][1]):
        tell(Loss(f"names of columns are left out: {printable(list_names(rows[0][1]))}"))
        del rows[0]
    if not rows:
        raise UnreadableImage("it holds no numbers")
    _check(rows)
    return _array(rows)


def _is_header(cells: Sequence[str]) -> bool:
    """Are there names of columns and no numbers?"""
    return not any(_NUMBER.fullmatch(cell) for cell in cells)


def _check(rows: Sequence[tuple[int, Sequence[str]]]) -> None:
    """Raise UnreadableImage unless all rows have as many numbers, and nothing else."""
    first, columns = rows[0][0], len(rows[0][1])
    for number, cells in rows:
        if len(cells) != columns:
            raise UnreadableImage(f"line {number} has {len(cells)} columns, but line {first} {columns}")
        wrong = next((cell for cell in cells if not _NUMBER.fullmatch(cell)), None)
        if wrong is not None:
            raise UnreadableImage(f"line {number}: {wrong[:40]!a} is no number")


def _array(rows: Sequence[tuple[int, Sequence[str]]]) -> Array:
    whole = all(_WHOLE.fullmatch(cell) for _, cells in rows for cell in cells)
    values = [[_value(cell, whole, number) for cell in cells] for number, cells in rows]
    array = np.array(values, np.int64 if whole else np.float64)
    return array[:, 0] if array.shape[1] == 1 else array


def _value(cell: str, is_whole_table: bool, line: int) -> int | float:
    """A number of a table; UnreadableImage where its dtype cannot hold it."""
    if is_whole_table:
        value = int(cell)
        if INT64.min <= value <= INT64.max:
            return value
        raise UnreadableImage(f"line {line}: {cell[:40]} is beyond 64 bits")
    number = float(cell)
    if _WHOLE.fullmatch(cell) and (np.isinf(number) or int(number) != int(cell)):
        raise UnreadableImage(
            f"line {line}: {cell[:40]} is not kept exactly beside fractions (put whole numbers into a "
            "file of their own)"
        )
    if np.isinf(number) and "inf" not in cell.lower():
        raise UnreadableImage(f"line {line}: {cell[:40]} is too large")
    return number
