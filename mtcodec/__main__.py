"""``mtcodec`` and ``python -m mtcodec``: the command line, as a process of its own.

The process ends here, without Python's own end. Threads of libraries may still be at work then: Arrow's free
what they have read, for which they need Python's lock; Python ends every thread that asks for it so late,
and a thread of C++ that is ended so ends the whole process, with ``terminate called without an active
exception`` and exit code 134.
"""

from __future__ import annotations

import atexit
import io
import os
import signal
import sys
from typing import NoReturn


def main() -> NoReturn:
    """Run the command line, and end the process with its exit code.

    A signal that comes before a command has begun, or after it has ended, ends the process at once.
    """
    for stop_signal in (signal.SIGINT, signal.SIGTERM):
        signal.signal(stop_signal, lambda number, frame: os._exit(128 + number))
    _write_all_of_output()
    _print_all_characters()
    from mtcodec.cli import main as run

    try:
        run()
    except SystemExit as end:
        _leave(end.code if isinstance(end.code, int) else 1)


def _write_all_of_output() -> None:
    """Give standard output a buffer, which writes all or fails, where Python is told to have none.

    Without one (``python -u``, ``PYTHONUNBUFFERED``) a disk that fills, or a pipe, takes a part of what is
    written, and nothing tells that the rest is lost.
    """
    stream = sys.stdout
    if stream is not None and isinstance(stream.buffer, io.RawIOBase):
        sys.stdout = open(  # noqa: SIM115
            stream.fileno(), "w", 1, encoding=stream.encoding, errors=stream.errors, closefd=False
        )


def _print_all_characters() -> None:
    """Let names of files that are no text, and signs that a terminal has not, be escaped, not an error."""
    if isinstance(sys.stdout, io.TextIOWrapper) and sys.stdout.errors == "strict":
        sys.stdout.reconfigure(errors="backslashreplace")


def _leave(code: int) -> NoReturn:
    """End the process: what is registered for its end is done, and what is printed is written."""
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        try:
            if stream is not None:
                stream.flush()
        except (OSError, ValueError):  # its reader has gone, it is full, or closed
            code = code or 1
    os._exit(code)


if __name__ == "__main__":
    main()
