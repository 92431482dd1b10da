"""Times of images, in seconds: from their names, and from lists that lie beside them.

Values are exact: fractions of the decimals that stand there. A number that may count frames is no time.
"""

from __future__ import annotations

import calendar
import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

MIN_DECIMALS = 3  # of seconds in names: 1.5 may be anything
EPOCH_DIGITS = {16: 10**6, 19: 10**9}  # of microseconds and nanoseconds since 1970, and how many a second has
EPOCH_SECONDS = range(9 * 10**8, 4 * 10**9)  # the years 1998 to 2096
MAX_LIST_BYTES = 1 << 26
_NAME = re.compile(r"(.*[_-])?([0-9]+\.[0-9]+|[0-9]{16}|[0-9]{19})([_.-][^0-9]*)?", re.DOTALL)
_DATE = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})[ T]([0-9]{2}):([0-9]{2}):([0-9]{2}(?:\.[0-9]*)?)Z?")
_DECIMAL = re.compile(r"[0-9]+(?:\.[0-9]*(?:[eE][+-]?[0-9]{1,3})?|[eE][+-]?[0-9]{1,3})")


def times_of_names(names: Sequence[str]) -> list[Fraction] | None:
    """Seconds that images of one task are named after; None where any name is no time.

    Names may have a beginning and an end that all share: ``47333462_5000.013``. Numbers are seconds with
    three decimals or more, or microseconds or nanoseconds since 1970, of 16 or 19 digits.
    """
    matches = [_NAME.fullmatch(name) for name in names]
    if len({(match[1], match[3]) if match else None for match in matches}) != 1:
        return None
    numbers = [match[2] for match in matches if match]
    if not numbers:
        return None
    if all("." in number for number in numbers):
        return None if _may_count(numbers) else [Fraction(number) for number in numbers]
    times = [time for number in numbers if (time := _since_epoch(number)) is not None]
    return times if len(times) == len(names) else None


def _since_epoch(digits: str) -> Fraction | None:
    """Seconds since 1970 of a whole number; None where its length tells no unit, or of another age."""
    if not digits.isdecimal() or len(digits) not in EPOCH_DIGITS:
        return None
    time = Fraction(int(digits), EPOCH_DIGITS[len(digits)])
    return time if int(time) in EPOCH_SECONDS else None


def _may_count(numbers: Iterable[str]) -> bool:
    """May decimals be two counters: ``12.0000 12.0001``? Few decimals, or equal steps from 0 or 1 on."""
    by_whole: defaultdict[str, list[int]] = defaultdict(list)
    for number in numbers:
        whole, _, decimals = number.partition(".")
        if int(whole) in EPOCH_SECONDS:
            return False
        if len(decimals) < MIN_DECIMALS:
            return True
        by_whole[whole].append(int(decimals))
    return all(_is_counter(sorted(counts)) for counts in by_whole.values())


def _is_counter(counts: Sequence[int]) -> bool:
    steps = {second - first for first, second in pairwise(counts)}
    return counts[0] in (0, 1) and len(steps) < 2


def read_times(path: Path) -> list[Fraction]:
    """Seconds of a file with a time a line: ``1.036224e-01``, or a date ``2011-09-26 13:02:25.964389445``.

    Dates are seconds since 1970, read as UTC. Lines that begin with ``#`` are no times.

    Raises:
        ValueError: a line is something else, or a whole number, whose unit nobody knows; its words are for
            people. OSError: unreadable.
    """
    return [_parsed(line, number) for number, line in _lines(path)]


def read_timed_paths(path: Path) -> dict[Path, Fraction]:
    """Seconds by path of a file with ``time path`` a line, as TUM's ``rgb.txt``.

    Paths begin at its directory.

    Raises:
        ValueError: a line is something else; its words are for people. OSError: unreadable.
    """
    times = {}
    for number, line in _lines(path):
        time, _, image = line.replace("\t", " ").partition(" ")
        if not image.strip():
            raise ValueError(f"line {number} is no time and a path")
        times[path.parent / image.strip()] = _parsed(time, number)
    return times


def _lines(path: Path) -> list[tuple[int, str]]:
    """Numbers, from 1, and contents of the lines that say something."""
    with path.open("rb") as file:
        data = file.read(MAX_LIST_BYTES + 1)
    if len(data) > MAX_LIST_BYTES:
        raise ValueError(f"it has more than {MAX_LIST_BYTES} bytes")
    lines = ((number, line.strip()) for number, line in enumerate(data.decode("utf-8-sig").splitlines(), 1))
    return [(number, line) for number, line in lines if line and not line.startswith("#")]


def _parsed(text: str, line_number: int) -> Fraction:
    """Seconds of a date, a decimal, or a whole number of 16 or 19 digits."""
    date = _DATE.fullmatch(text)
    if date:
        year, month, day, hour, minute = map(int, date.groups()[:5])
        days = calendar.monthrange(year, month)[1] if 0 < month <= 12 and year > 0 else 0
        if not (0 < day <= days and hour < 24 and minute < 60 and Fraction(date[6]) < 61):
            raise ValueError(f"line {line_number} is no date")
        return calendar.timegm((year, month, day, hour, minute, 0)) + Fraction(date[6].removesuffix("."))
    if _DECIMAL.fullmatch(text):
        return Fraction(text)
    time = _since_epoch(text)
    if time is None:
        kind = "a whole number, whose unit is not told" if text.isdecimal() else "no time"
        raise ValueError(f"line {line_number} is {kind}")
    return time
