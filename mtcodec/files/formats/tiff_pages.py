"""The images of a TIFF file: its pages, and the planes of stacks that programs write as one array."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mtcodec.files.formats.tiff_checks import check_file, check_page
from mtcodec.files.sources import UnreadableImage
from mtcodec.signals.mapping import Array

REDUCED_OR_MASK = 0b101  # bits of a page's kind: a thumbnail, or a mask of another page
PAGE_NAME, DESCRIPTION = 285, 270  # numbers of tags
MAX_PAGES_WITHOUT_NAMES = 16  # more are a stack in time or in depth of space, and no tasks
MAX_COLUMNS = 4  # of what are no pages but rows of an image, whose columns are its channels
PAGE_TITLE = re.compile(r"\w[\w .\-]{0,62}", re.ASCII)  # what may name a task, unlike JSON, XML, or sentences


@dataclass(frozen=True)
class Page:
    """One image of a file.

    Attributes:
        series: of tifffile, in which it lies.
        number: its place there.
        count: how many images the series has.
        axes: of an array of all of them, with their lengths: Y X, and S for channels.
    """

    series: Any
    number: int
    count: int
    axes: Mapping[str, int]

    @property
    def height(self) -> int:
        return self.axes["Y"]

    @property
    def width(self) -> int:
        return self.axes["X"]

    @property
    def channels(self) -> int:
        return self.axes.get("S", 1)

    @property
    def is_of_its_own(self) -> bool:
        """Is it a page of the file, and not part of one?"""
        return len(self.series.pages) == self.count and self.series.pages[self.number] is not None

    @property
    def index(self) -> int:
        """Of its page in the file."""
        return int(self.series.pages[self.number if self.is_of_its_own else 0].index)

    def check(self) -> None:
        """Raise UnreadableImage where tags or pixels of it are missing in its file."""
        pages = [self.series.pages[self.number]] if self.is_of_its_own else self.series.pages
        for page in (self.series.keyframe, *filter(None, pages)):
            check_page(page)

    @property
    def title(self) -> str:
        """What its page is called; empty where it has no name, or one that no task can have."""
        tags = getattr(self.series.pages[self.number], "tags", {}) if self.is_of_its_own else {}
        for number in (PAGE_NAME, DESCRIPTION):
            text = str(tags[number].value).strip() if number in tags else ""
            if PAGE_TITLE.fullmatch(text):
                return text
        return ""

    def read(self) -> Array:
        """Its pixels, (H, W) or (H, W, C)."""
        kept = [axis for axis in self.axes if axis in "YXS"]
        others = [axis for axis in self.axes if axis not in kept]
        order = [axis for axis in "YXS" if axis in kept]
        if self.is_of_its_own:
            array = self.series.pages[self.number].asarray().reshape([self.axes[axis] for axis in kept])
            return np.asarray(array.transpose([kept.index(axis) for axis in order]))
        array = self.series.asarray().reshape(tuple(self.axes.values()))
        names = list(self.axes)
        array = array.transpose([names.index(axis) for axis in (*others, *order)])
        return np.asarray(array.reshape(-1, *(self.axes[axis] for axis in order))[self.number])


def pages_of(file: Any) -> list[Page]:
    """All images of a file of tifffile, in order; but for masks, and reduced ones beside others."""
    check_file(file)
    every_series = list(file.series)
    series = [each for each in every_series if not int(each.keyframe.subfiletype) & REDUCED_OR_MASK]
    pages: list[Page] = []
    for each in series or every_series[:1]:
        axes = _axes(each)
        count = math.prod(length for axis, length in axes.items() if axis not in "YXS")
        pages += [Page(each, number, count, axes) for number in range(count)]
    return sorted(pages, key=lambda page: page.index)


def _axes(series: Any) -> dict[str, int]:
    """The axes of an array with their lengths, without others than Y, X and S that have a length of one.

    An array (H, W, C) of a few channels may be stored as H pages of W rows and C columns, which are no
    images; of (H, W, 1) with three or four rows, these are not taken for channels of one column. Channels
    that are no samples of a page (C) count as channels where there are no samples.
    """
    sizes = [size for size in series.shape[:-1] if size > 1]
    are_rows = series.shape[-1] == 1 or ("S" not in series.axes and series.shape[-1] <= MAX_COLUMNS)
    if series.kind == "shaped" and len(sizes) == 2 and are_rows:
        channels = {"S": series.shape[-1]} if series.shape[-1] > 1 else {}
        return {"Y": sizes[0], "X": sizes[1], **channels}
    names = series.axes if "S" in series.axes else series.axes.replace("C", "S")
    axes = {axis: size for axis, size in zip(names, series.shape) if size > 1 or axis in "YX"}
    if not {"Y", "X"} <= axes.keys() or math.prod(axes.values()) != math.prod(series.shape):
        raise UnreadableImage(f"not an image: an array of shape {series.shape}")
    return axes


def names_of(pages: Sequence[Page]) -> tuple[list[str], bool]:
    """What pages are called, and whether their descriptions say so; else it is their order."""
    titles = [page.title for page in pages] if pages[0].title else [""]
    if all(titles) and len({title.lower() for title in titles}) == len(titles):
        return titles, True
    return [f"page_{number}" for number in range(len(pages))], False
