"""How images of a dataset are read where their files leave a choice."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from mtcodec.errors import UsageError
from mtcodec.files.packing import Packing

EXIF_CHOICES = ("auto", "turn", "keep")


@dataclass(frozen=True)
class Reading:
    """Choices of whoever reads a dataset; the same for all of its scenes.

    Attributes:
        exif: what becomes of marks of orientation, see :mod:`mtcodec.files.turning`. ``turn``: each image is
            turned as its own mark says; ``keep``: none is; ``auto``: all images of a scene are, or none.
        pattern: of paths of images, in place of all layouts (:mod:`mtcodec.files.trees.template`);
            empty: none.
        unpack: by task, how its values are packed in colours (:func:`mtcodec.files.packing.parse`).

        keeps_unpaired: where colour and depth have clocks of their own, are images without a partner in time
            scenes of one task, as frames of a sequence may be? Else they are left out.

    Raises:
        UsageError: no such choice.
    """

    exif: str = "auto"
    unpack: Mapping[str, Packing] = field(default_factory=dict)
    pattern: str = ""
    keeps_unpaired: bool = False

    def __post_init__(self) -> None:
        if self.exif not in EXIF_CHOICES:
            raise UsageError(f"exif must be auto, turn or keep, not {self.exif!r}")

    def settings(self) -> dict[str, Any]:
        """What is not as usual, as JSON has it."""
        unpack = {task: packing.text for task, packing in self.unpack.items()}
        values = {"exif": self.exif if self.exif != "auto" else "", "unpack": unpack}
        return {name: value for name, value in values.items() if value}


AS_USUAL = Reading()
