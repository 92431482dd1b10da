"""The command line as tests run it, and the files that they give it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import imagecodecs
import numpy as np

from mtcodec.container.mtc import Reader
from mtcodec.files.state import STATE_NAME


class Result(NamedTuple):
    """Exit code, standard output and standard error."""

    code: int
    out: bytes
    err: str

    @property
    def lines(self) -> list[str]:
        return self.out.decode().splitlines()


Run = Callable[..., Result]


def start(*arguments: object, check: bool = False, **options: Any) -> subprocess.CompletedProcess[bytes]:
    """Runs the command line as a process of its own; ``options`` are those of ``subprocess.run``."""
    command = [sys.executable, "-m", "mtcodec", *map(str, arguments)]
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.run(command, **{**streams, **options}, check=check)


def fails(result: Result, code: int, *fragments: str) -> None:
    """One line on standard error besides warnings, nothing on standard output."""
    assert (result.code, result.out) == (code, b""), result
    errors = [line for line in result.err.splitlines() if not line.startswith("mtcodec: warning: ")]
    assert len(errors) == 1 and errors[0].startswith("mtcodec: "), result
    for fragment in fragments:
        assert fragment in errors[0]


def image(path: Path) -> np.ndarray:
    """What a PNG or ``.npy`` file holds."""
    if path.suffix == ".npy":
        return np.load(path)
    return np.asarray(imagecodecs.png_decode(path.read_bytes()))


def png(pixels: np.ndarray) -> bytes:
    """A PNG file."""
    return bytes(imagecodecs.png_encode(np.ascontiguousarray(pixels)))


def write(path: Path, pixels: np.ndarray) -> Path:
    """Write a PNG file, and the directories that it needs."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(png(pixels))
    return path


def files(directory: Path) -> list[str]:
    """Paths of all files below a directory, sorted, without what ``encode`` remembers of them."""
    paths = (path for path in directory.rglob("*") if path.is_file() and path.name != STATE_NAME)
    return sorted(str(path.relative_to(directory)) for path in paths)


def codings(path: Path) -> dict[str, str]:
    """The coding of every task of a file."""
    header = Reader(path.read_bytes()).header
    return {name: header.task(name).coding for name in header.tasks}
