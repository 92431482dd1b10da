"""Lines for people, and which of them tell of a loss."""

from __future__ import annotations

import warnings

from mtcodec.errors import MtcodecWarning


class Loss(str):
    """A line about something that is left out, dropped or not read, or assumed where it matters.

    It is a plain string wherever strings are wanted. The command line shows it as a warning, which ``-q``
    does not hide and ``--strict`` makes an error.
    """


def rephrased(line: str, text: str) -> str:
    """``text`` in place of ``line``: it tells of a loss if ``line`` does."""
    return Loss(text) if isinstance(line, Loss) else text


def warn_of_loss(line: str) -> None:
    """Warn Python's way of a line that tells of a loss; others are not told."""
    if isinstance(line, Loss):
        warnings.warn(str(line), MtcodecWarning, stacklevel=2)
