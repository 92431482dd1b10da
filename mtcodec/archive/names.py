"""Names of an archive and of its files."""

from __future__ import annotations

from pathlib import Path

INDEX, WEIGHTS, STATE = "archive.json", "weights", "state"
SHARD_NAME, SHARD_PATTERN = "shard-{:05d}.parquet", "shard-*.parquet"


def is_archive(path: str | Path) -> bool:
    """Is it a local directory of shards, or a URL?"""
    text = str(path)
    if "://" in text:
        return True
    directory = Path(text)
    return directory.is_dir() and any(directory.glob(SHARD_PATTERN))


def absolute(path: str | Path) -> str:
    """A local path made absolute, so that other processes find it; a URL as it is."""
    return str(path) if "://" in str(path) else str(Path(path).absolute())
