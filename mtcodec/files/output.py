"""Writing files so that an interruption leaves the old content or none."""

from __future__ import annotations

import os
from pathlib import Path

from mtcodec.errors import OutputError

_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)


def write_atomic(path: Path, data: bytes) -> None:
    """Write ``data`` to a temporary file beside ``path``, then rename it.

    A link is followed; a device or a pipe is written to. A process killed meanwhile leaves the hidden
    temporary file, ``.<name>.<random>.tmp``; whatever else interrupts it does not.

    Raises:
        OutputError: the directory is missing, not writable, or full.
    """
    try:
        if path.is_symlink():
            path = path.resolve()
        if path.exists() and not path.is_file():
            path.write_bytes(data)
        else:
            _replace(path, data)
    except OSError as error:
        raise OutputError(f"cannot write it: {error.strerror or error}", path=path) from error


def _replace(path: Path, data: bytes) -> None:
    temporary = path.with_name(f".{path.name[:200]}.{os.urandom(6).hex()}.tmp")
    try:
        with os.fdopen(os.open(temporary, _FLAGS, 0o666), "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
