"""How an archive and its files are called."""

from __future__ import annotations

from pathlib import Path

INDEX, WEIGHTS = "archive.json", "weights"
PART = "part-{:05d}.parquet"
BESIDE = ("key", "height", "width")  # columns that views of other libraries have beside images


def is_archive(path: str | Path) -> bool:
    """Is it a local directory of parts, or a URL?"""
    text = str(path)
    if "://" in text:
        return True
    directory = Path(text)
    return directory.is_dir() and any(directory.glob("part-*.parquet"))


def absolute(path: str | Path) -> str:
    """A local path that other directories and processes know, too; URLs as they are."""
    return str(path) if "://" in str(path) else str(Path(path).absolute())
