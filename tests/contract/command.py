"""The command line as people see it: exit code, output, errors; within this process, or in one of its own."""

from __future__ import annotations

import io
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from contract.case import TESTS

PLAIN = {"COLUMNS": "200", "NO_COLOR": "1", "TERM": "dumb", "OMP_WAIT_POLICY": "PASSIVE"}
FOREIGN = ("MTCODEC_WEIGHTS", "MTCODEC_DEBUG", "FORCE_COLOR")
SECONDS = re.compile(r"[\d.]+ s, [\d.]+ scenes/s")


class Result(NamedTuple):
    """Exit code, standard output and standard error."""

    code: int
    out: bytes
    err: str

    @property
    def text(self) -> str:
        return self.out.decode()


@contextmanager
def quiet_environment() -> Iterator[None]:
    """Environment variables that say how things are printed, and where weights are, are the same for all."""
    before = dict(os.environ)
    os.environ.update(PLAIN)
    for name in FOREIGN:
        os.environ.pop(name, None)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


@contextmanager
def _streams(arguments: list[str], stdin: bytes) -> Iterator[tuple[io.BytesIO, io.BytesIO]]:
    kept = sys.argv, sys.stdin, sys.stdout, sys.stderr
    out, err = io.BytesIO(), io.BytesIO()
    sys.argv = ["mtcodec", *arguments]
    sys.stdin, sys.stdout, sys.stderr = (
        io.TextIOWrapper(stream, "utf-8", write_through=True) for stream in (io.BytesIO(stdin), out, err)
    )
    streams = sys.stdin, sys.stdout, sys.stderr
    try:
        yield out, err
    finally:
        sys.argv, sys.stdin, sys.stdout, sys.stderr = kept
        for stream in streams:
            stream.detach()  # else it closes what holds the bytes


def run(*arguments: object, stdin: bytes = b"") -> Result:
    """Run the command line within this process."""
    from mtcodec import cli

    code: object = 0
    with quiet_environment(), _streams([*map(str, arguments)], stdin) as (out, err):
        try:
            cli.main()
        except SystemExit as stop:
            code = stop.code
    return Result(int(str(code or 0)), out.getvalue(), err.getvalue().decode())


def start(*arguments: object, stdin: bytes = b"") -> Result:
    """Run the command line as a process of its own."""
    command = [sys.executable, "-m", "mtcodec", *map(str, arguments)]
    own = {name: value for name, value in os.environ.items() if name not in FOREIGN}
    done = subprocess.run(command, input=stdin, capture_output=True, env={**own, **PLAIN}, check=False)
    return Result(done.returncode, done.stdout, done.stderr.decode())


def clean(text: str, place: Path) -> str:
    """``text`` without paths of this machine and of this run, nor times."""
    for path, name in ((str(place), "PLACE"), (str(TESTS), "TESTS"), (str(TESTS.parent), "REPOSITORY")):
        text = text.replace(path, name)
    return SECONDS.sub("TIME", text)


def lines(text: str, place: Path) -> list[str]:
    """Lines as they are recorded, without spaces at their ends."""
    return [line.rstrip() for line in clean(text, place).splitlines()]


def table(text: str, place: Path) -> list[str]:
    """Lines of a table, whose columns are as wide as paths are long, with single spaces."""
    return [" ".join(line.split()) for line in lines(text, place)]


def first_words(err: str, place: Path, count: int = 4) -> str:
    """The beginning of the last line of ``err`` that has words; the frames of usage errors do not count."""
    told = [re.sub("[│╭╮╰╯─]+", " ", line).split() for line in lines(err, place)]
    words = next((own for own in reversed(told) if own), [])
    return " ".join(words[: count + (words[:1] == ["mtcodec:"])])
