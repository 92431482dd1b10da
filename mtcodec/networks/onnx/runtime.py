"""onnxruntime, imported quietly.

Its builds from 1.29 on send reports of its use unless told not to, and some from 1.23 on warn of graphics
cards on standard error while they are imported, before their log can be set.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")


@contextmanager
def _silence() -> Iterator[None]:
    """Nothing reaches standard error, also of what is not Python."""
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


with _silence():
    import onnxruntime as ort

__all__ = ["ort"]
