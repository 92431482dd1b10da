"""How images of a dataset are read where their files leave a choice."""

from __future__ import annotations

from dataclasses import dataclass

from mtcodec.errors import UsageError

EXIF_CHOICES = ("auto", "turn", "keep")


@dataclass(frozen=True)
class Reading:
    """Choices of whoever reads a dataset; the same for all of its scenes.

    Attributes:
        exif: what becomes of marks of orientation, see :mod:`mtcodec.files.turning`. ``turn``: each image is
            turned as its own mark says; ``keep``: none is; ``auto``: all images of a scene are, or none.

    Raises:
        UsageError: no such choice.
    """

    exif: str = "auto"

    def __post_init__(self) -> None:
        if self.exif not in EXIF_CHOICES:
            raise UsageError(f"exif must be auto, turn or keep, not {self.exif!r}")


AS_USUAL = Reading()
