"""What becomes of freed memory: how the process as a whole asks glibc to treat it. The library does not call
this; commands and processes that do nothing else do."""

from __future__ import annotations

import ctypes
import sys

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # of glibc's malloc.h
RETURNED_BYTES = 8 << 20


def keep() -> None:
    """Let glibc keep freed memory. Else large arrays are given back and asked for anew at every step: a
    third of the time of training, a tenth of decoding. For processes that do nothing else."""
    _set_option(M_MMAP_THRESHOLD, 1 << 30)
    _set_option(M_TRIM_THRESHOLD, (1 << 31) - 1)


def return_large_blocks() -> None:
    """Let glibc give freed blocks of 8 MB and more back at once. Else it comes to keep those of up to 32 MB:
    half as much memory again, where networks work on large images."""
    _set_option(M_MMAP_THRESHOLD, RETURNED_BYTES)


def _set_option(option: int, value: int) -> None:
    """Set an option of glibc's allocator, where that is what the process has."""
    if sys.platform == "linux":
        libc = ctypes.CDLL(None)
        if hasattr(libc, "mallopt"):
            libc.mallopt(option, value)
