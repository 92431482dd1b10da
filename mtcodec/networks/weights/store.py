"""Where weights lie, and how they are found: by name, path or fingerprint."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from mtcodec.errors import WeightsInvalid, WeightsNotFound
from mtcodec.networks.weights.file import SUFFIX, describe, read_header

AUTO = "auto"  # stands for all installed weights, of which a scene gets those that suit it best
PAPER = "paper"  # directory of weights that are compared with each other, and never chosen


def directories() -> list[Path]:
    """Where weights are looked for: ``$MTCODEC_WEIGHTS`` (os.pathsep-separated), then the package's."""
    extra = [Path(p) for p in os.environ.get("MTCODEC_WEIGHTS", "").split(os.pathsep) if p]
    package = Path(__file__).parent
    return [*extra, package / "files", package.parents[2] / "weights"]  # of a wheel, of a checkout


def installed(paper: bool = False) -> Iterator[Path]:
    """Paths of all installed weights files, first match of every name first; ``paper``: those, too."""
    names = set()
    for directory in directories():
        for place in (directory, directory / PAPER) if paper else (directory,):
            for path in sorted(place.glob("*" + SUFFIX)):
                if path.stem not in names:
                    names.add(path.stem)
                    yield path


def find(name: str | Path) -> Path:
    """Path of the weights called ``name``, which may be a path itself.

    Raises:
        WeightsNotFound: there are none.
    """
    text = str(name)
    if text.endswith(SUFFIX) or os.sep in text:
        if not Path(text).is_file():
            raise WeightsNotFound("no such weights file", path=text)
        return Path(text)
    for path in installed(paper=True):
        if path.stem == text:
            return path
    known = ", ".join(p.stem for p in installed()) or "none"
    raise WeightsNotFound(f"no weights named {text!r} are installed (installed: {known})")


def split_names(names: str | Path) -> list[str]:
    """The names or paths of a list with commas, each once. A file's path may have commas itself."""
    text = str(names)
    is_file = os.path.isfile(text)  # noqa: PTH113  (Path.is_file raises where a name is too long)
    if isinstance(names, Path) or "," not in text or is_file:
        return [text]
    return list(dict.fromkeys(stripped for name in text.split(",") if (stripped := name.strip()))) or [text]


def resolve(names: str | Path) -> list[Path]:
    """Paths of weights, each once.

    Args:
        names: a name or path, ``auto`` for all that are installed and readable, or several of these with
            commas between them.

    Raises:
        WeightsNotFound: there are none of a name.
    """
    paths: list[Path] = []
    for name in split_names(names):
        earlier = {path.resolve() for path in paths}
        named = _readable() if name == AUTO else [find(name)]
        paths += [path for path in named if path.resolve() not in earlier]
    return paths


def _readable() -> Iterator[Path]:
    """Installed weights that can be read."""
    for path in installed():
        try:
            describe(path)
        except WeightsInvalid:
            continue
        yield path


def find_fingerprint(fingerprint: str) -> Path:
    """Path of the installed weights with this fingerprint.

    Raises:
        WeightsNotFound: there are none.
    """
    for path in installed(paper=True):
        try:
            if str(read_header(path).get("fingerprint", "")).startswith(fingerprint):
                return path
        except WeightsInvalid:
            continue
    raise WeightsNotFound(
        f"needs the weights with fingerprint {fingerprint}, which are not installed: "
        "name their file with --weights, or put it into a directory listed in MTCODEC_WEIGHTS"
    )
