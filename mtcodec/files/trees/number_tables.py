"""Tables in files whose suffix images may have: boxes, poses and points in ``.npy``."""

from __future__ import annotations

import re
from collections import defaultdict
from contextlib import suppress

from mtcodec.errors import MtcodecError
from mtcodec.files.formats import shape_of
from mtcodec.files.formats.usual import read_npy_header
from mtcodec.files.sources import MissingSource, open_source
from mtcodec.files.trees.listing import Listing
from mtcodec.files.trees.search import Search
from mtcodec.tasks import DTYPES

SUFFIX = ".npy"
MAX_TABLE_SIDE = 7
"""Arrays of fewer columns or rows are tables, such as poses, matrices, boxes and lists of points."""


def set_aside(search: Search, root: Listing) -> None:
    """Tables count as files that are no images; those named after tasks as images, of whatever size.

    Of files whose names differ by numbers alone the first one tells; the others are looked at if it is none.
    """
    for prefix, listing in root.walk():
        if any(search.naming.knows(name) for name in prefix.split("/")):
            continue
        by_name: defaultdict[str, list[str]] = defaultdict(list)
        for stem, path in listing.images:
            if path.lower().endswith(SUFFIX) and not (search.naming.split(stem) or search.naming.knows(stem)):
                by_name[re.sub(r"\d+", "", stem)].append(path)
        for paths in by_name.values():
            if _is_table(search, paths[0], root, listing):
                tables = {path for path in paths if _is_table(search, path, root, listing)}
                listing.images[:] = [image for image in listing.images if image[1] not in tables]
                listing.other_files += tables


def _is_table(search: Search, path: str, root: Listing, listing: Listing) -> bool:
    """Is an array no image? What cannot be read is one: reading it tells what is wrong.

    A small one is an image if it has the size of an image that lies beside it, or first in the dataset.
    """
    try:
        with open_source(search.source_at(path)) as file:
            shape, dtype = read_npy_header(file)
    except (OSError, ValueError, KeyError, MissingSource):
        return False
    if len(shape) not in (2, 3) or dtype.name not in DTYPES or 0 in shape:
        return True
    if sorted(shape)[-2] > MAX_TABLE_SIDE:
        return False
    images = (image for _, directory in (("", listing), *root.walk()) for image in directory.images)
    knows = search.naming.knows
    other = next((path for stem, path in images if not path.lower().endswith(SUFFIX) or knows(stem)), "")
    with suppress(MtcodecError, MissingSource):
        return not other or shape_of(search.source_at(other))[:2] not in (shape[:2], shape[1:])
    return True
