"""What the files of a directory were made of: a hidden file beside them, a line of JSON for each.

A line says of which bytes it speaks. So it may be written before them, and lines of earlier files, of runs
that were killed, or of others at the same time, do no harm; what is cut off counts for nothing. Lines are
appended, each by one write: nothing that is there is ever written again.
"""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from functools import cached_property
from pathlib import Path
from typing import Any

from mtcodec.errors import OutputError
from mtcodec.files.origin import Origin, difference

STATE_NAME = ".mtcodec-state.jsonl"
UNKNOWN = "nothing tells what it was made of"
CHUNK = 1 << 20  # bytes that are read at a time
_Record = dict[str, Any]
_KEYS = {"file": str, "bytes": int, "sha256": str, "made_of": dict}


class State:
    """The state of the files in ``directory``, as it is when it is first asked for.

    Raises:
        OutputError: by all methods, where it, or a file, cannot be read or written.
    """

    def __init__(self, directory: Path) -> None:
        self.path = directory / STATE_NAME

    @cached_property
    def _records(self) -> dict[str, list[_Record]]:
        """By file, in the order they were written."""
        try:
            lines = self.path.read_bytes().splitlines()
        except FileNotFoundError:
            lines = []
        except OSError as error:
            raise OutputError(f"cannot read it: {error.strerror or error}", path=self.path) from error
        records: dict[str, list[_Record]] = defaultdict(list)
        for record in map(_parse, lines):
            if record is not None:
                records[record["file"]].append(record)
        return records

    def why_not_done(self, name: str, origin: Origin) -> str:
        """Why the file called ``name`` is not what ``origin`` gives, for people; nothing where it is.

        It is, if it is as it was written, to the byte, and was made of the same.
        """
        path, records = self.path.with_name(name), self._records.get(name)
        if not records:
            return UNKNOWN
        try:
            size = path.stat().st_size
            of_size = [record for record in records if record["bytes"] == size]
            if not of_size:
                return f"damaged or changed since: it has {size} bytes, not {records[-1]['bytes']}"
            checksum = _checksum_of(path)
        except OSError as error:
            raise OutputError(f"cannot read it: {error.strerror or error}", path=path) from error
        matching = [record for record in of_size if record["sha256"] == checksum]
        if not matching:
            return "damaged or changed since: its checksum is another"
        if any(record["made_of"] == origin for record in matching):
            return ""
        return _difference(matching[-1]["made_of"], origin)

    def remember(self, name: str, data: bytes, origin: Origin) -> None:
        """Note what the file called ``name`` is made of, if its content is ``data``."""
        self._remember({"file": name, "bytes": len(data), "sha256": _checksum(data), "made_of": origin})

    def remember_file(self, name: str, path: Path, origin: Origin) -> None:
        """The same, if its content is that of the file at ``path``."""
        try:
            size, checksum = path.stat().st_size, _checksum_of(path)
        except OSError as error:
            raise OutputError(f"cannot read it: {error.strerror or error}", path=path) from error
        self._remember({"file": name, "bytes": size, "sha256": checksum, "made_of": origin})

    def _remember(self, record: _Record) -> None:
        name = record["file"]
        if record in self._records.get(name, ()):
            return
        line = json.dumps(record, separators=(",", ":")).encode() + b"\n"
        try:
            with self.path.open("a+b", buffering=0) as file:
                if file.seek(0, 2):
                    file.seek(-1, 2)
                    line = line if file.read(1) == b"\n" else b"\n" + line  # after one that was cut off
                if file.write(line) != len(line):
                    raise OSError("it was cut off")
        except OSError as error:
            raise OutputError(f"cannot write it: {error.strerror or error}", path=self.path) from error
        self._records.setdefault(name, []).append(record)


class States(dict[Path, State]):
    """States by directory, each read once."""

    def __missing__(self, directory: Path) -> State:
        self[directory] = State(directory)
        return self[directory]


def _checksum(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:16]


def _checksum_of(path: Path) -> str:
    """The same of a file, which may be large."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while data := file.read(CHUNK):
            digest.update(data)
    return digest.hexdigest()[:16]


def _parse(line: bytes) -> _Record | None:
    """The record of a line; None where there is none, or it is cut off."""
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        return None
    is_whole = isinstance(record, dict) and all(isinstance(record.get(k), t) for k, t in _KEYS.items())
    return record if is_whole else None


def _difference(past: Origin, now: Origin) -> str:
    try:
        return difference(past, now)
    except (LookupError, TypeError, AttributeError):  # of another release, or damaged
        return UNKNOWN
