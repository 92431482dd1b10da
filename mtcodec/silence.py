"""Silence of libraries that write to standard error themselves, where nothing else can stop them."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_LOCK = threading.RLock()  # while standard error of the process leads nowhere


@contextmanager
def native_silence() -> Iterator[None]:
    """Nothing reaches standard error, also of what is not Python; for one thread at a time."""
    with _LOCK:
        if sys.stderr is not None:
            sys.stderr.flush()
        try:
            standard_error = os.dup(2)
        except OSError:  # there is no standard error
            yield
            return
        nowhere = os.open(os.devnull, os.O_WRONLY)
        try:
            os.dup2(nowhere, 2)
            yield
        finally:
            os.dup2(standard_error, 2)
            os.close(standard_error)
            os.close(nowhere)
