"""Lines for people, and which of them tell of a loss."""

from __future__ import annotations


class Loss(str):
    """A line about something that is left out, dropped or not read.

    It is a plain string wherever strings are wanted. The command line shows it as a warning, which ``-q``
    does not hide and ``--strict`` makes an error.
    """


def rephrased(line: str, text: str) -> str:
    """``text`` in place of ``line``: it tells of a loss if ``line`` does."""
    return Loss(text) if isinstance(line, Loss) else text
