"""What becomes of freed memory: a setting of the whole process, which the library leaves to its owner."""

from __future__ import annotations

import ctypes
import sys

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # of glibc's malloc.h
RETURNED_BYTES = 8 << 20
owned = False
"""May large images change the setting? True in processes that run a command, or do nothing but one job."""


def keep() -> None:
    """Let glibc keep freed memory. Else large arrays are given back and asked for anew at every step: a
    third of the time of training, a tenth of decoding. For processes that do nothing else; from the first
    large image on, :func:`return_large_blocks` has the last word."""
    global owned
    owned = True
    _set_option(M_MMAP_THRESHOLD, 1 << 30)
    _set_option(M_TRIM_THRESHOLD, (1 << 31) - 1)


def return_large_blocks() -> None:
    """Where the process is :data:`owned`, let glibc give freed blocks of 8 MB and more back at once.

    Else it comes to keep those of up to 32 MB: half as much memory again, where networks work on large
    images. Work on smaller ones would take a third longer, so this is called for large ones alone.
    """
    if owned:
        _set_option(M_MMAP_THRESHOLD, RETURNED_BYTES)


def _set_option(option: int, value: int) -> None:
    """Set an option of glibc's allocator, where that is what the process has."""
    if sys.platform == "linux":
        libc = ctypes.CDLL(None)
        if hasattr(libc, "mallopt"):
            libc.mallopt(option, value)
