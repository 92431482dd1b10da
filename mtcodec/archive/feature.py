"""The type of columns of images in Hugging Face's datasets; the one module here that imports these."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, ClassVar

import pyarrow as pa
from datasets.features.features import register_feature

from mtcodec.archive.dataset import Archive
from mtcodec.container.section import MAX_PIXELS
from mtcodec.signals.mapping import Array

MAX_OPEN = 16  # columns of archives that a process keeps open


@dataclass
class ArchiveImage:
    """A column of numbers of an archive's rows, which become images of one task when they are read.

    Attributes:
        path: of the archive, absolute or a URL.
        task: of the archive.
        max_pixels: scenes of larger images are errors.
        decode: False leaves the numbers.
    """

    path: str
    task: str
    max_pixels: int = MAX_PIXELS
    decode: bool = True
    dtype: ClassVar[str] = "numpy.ndarray"
    pa_type: ClassVar[Any] = pa.int64()
    _type: str = field(default="ArchiveImage", init=False, repr=False)

    def __call__(self) -> Any:
        """The type of the numbers."""
        return self.pa_type

    def decode_example(self, value: int, token_per_repo_id: Any = None) -> Array | None:
        """An image (C, H, W) or numbers in the stored dtype, None where the scene lacks the task."""
        image: Array | None = _open_column(self.path, self.task, self.max_pixels)[value].get(self.task)
        return image


with warnings.catch_warnings():
    warnings.filterwarnings("ignore", "'register_feature' is experimental")
    register_feature(ArchiveImage, "ArchiveImage")


@lru_cache(maxsize=MAX_OPEN)
def _open_column(path: str, task: str, max_pixels: int) -> Archive:
    """An archive of one task, kept open for the next row."""
    return Archive(path, [task], max_pixels=max_pixels, numpy=True)


forget_archives = _open_column.cache_clear
