"""Streams that torch's ``DataLoader`` knows as such; the one module of archives that needs torch."""

from __future__ import annotations

from typing import Any

from torch.utils.data import IterableDataset

from mtcodec.archive.stream import Stream


class TorchStream(Stream, IterableDataset[Any]):
    """A :class:`Stream` for ``DataLoader``."""
