"""Streams that torch's ``DataLoader`` knows as such; the one module of archives that needs torch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch.utils.data import IterableDataset

from mtcodec.archive.stream import UNSET, Stream

if TYPE_CHECKING:
    from mtcodec.archive.dataset import Archive


class TorchStream(Stream, IterableDataset[Any]):
    """A :class:`Stream` for ``DataLoader``. Its workers see the epoch that the main process sets."""

    def __init__(self, archive: Archive, shuffle: bool, seed: int, batch: int) -> None:
        super().__init__(archive, shuffle, seed, batch)
        self._epoch_set = torch.tensor([UNSET]).share_memory_()
