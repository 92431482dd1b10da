"""Scenes that ``mtcodec encode`` encodes, in this process or in others."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mtcodec.cli import report
from mtcodec.cli.batch import Outcome
from mtcodec.cli.common import emit, make_directory, set_threads
from mtcodec.codec.request import Request
from mtcodec.errors import MtcodecError

if TYPE_CHECKING:
    from mtcodec.codec.api import Codec
    from mtcodec.codec.encoded import EncodedGroup
    from mtcodec.files.origin import Origin
    from mtcodec.files.state import State
    from mtcodec.files.trees.layouts import SceneFiles

NOT_IN_FILES = (
    "device",
    "threads",
    "force",
    "several",
    "remember",
    "progress",
)  # of an Encoder: they change no file


@dataclass
class Encoded(Outcome):
    """What became of a scene.

    Attributes:
        facts: what ``--json`` prints of the file.
        measures: by task and measure.
        notes, warnings: lines for people.
    """

    facts: dict[str, Any] = field(default_factory=dict)
    measures: dict[str, dict[str, float]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


@dataclass
class Encoder:
    """Encodes scenes; the codec is loaded with the first one.

    Attributes:
        target_bpp: bits per pixel of the largest image to reach, if any.
        tasks: those to encode; None: all.
        several: outputs are files in directories, which are made.
        remember: note beside each file what it is made of; else only where such notes are already.
    """

    request: Request
    weights: str
    device: str
    threads: int
    target_bpp: float | None
    tasks: list[str] | None
    force: bool
    several: bool
    remember: bool

    def origin(self, scene: SceneFiles) -> Origin:
        """What the file of a scene would be made of now."""
        from mtcodec.files.origin import origin_of

        return origin_of(scene, self.tasks, self._settings)

    @cached_property
    def _settings(self) -> dict[str, Any]:
        """All that a file depends on besides images: every field but those that are named here."""
        import mtcodec

        others = {each.name: getattr(self, each.name) for each in fields(self)}
        for name in ("request", "weights", "tasks", *NOT_IN_FILES):
            others.pop(name, None)
        return {
            **self.request.to_json(),
            **others,
            "weights": self._fingerprints(),
            "mtcodec": mtcodec.__version__,
        }

    def _fingerprints(self) -> list[str]:
        """Of the weights that may be used."""
        from mtcodec.networks.weights import store
        from mtcodec.networks.weights.file import describe

        paths = [] if self.request.coding == "classical" else store.resolve(self.weights)
        return sorted(describe(path).fingerprint for path in paths)

    def __call__(self, work: tuple[SceneFiles, Path]) -> Encoded:
        """Encode a scene into a file; an error of it is in the result."""
        scene, path = work
        result = Encoded(scene.label)
        try:
            origin = self.origin(scene)  # images that change from here on are others
            encoded = self._encode(scene, result.notes.append)
            data = encoded.to_bytes()
            if self.several:
                make_directory(path.parent)
            self._remember(path, data, origin)
            emit(data, path, self.force)
        except MtcodecError as error:
            result.error = error.at(path=scene.files.get(error.task or "", scene.label))
            return result
        from mtcodec.codec import rate
        from mtcodec.container.mtc import Reader
        from mtcodec.files.scene import bytes_on_disk

        result.read, result.written = bytes_on_disk(scene, encoded.chosen), len(data)
        result.measures = encoded.measures
        result.facts = report.facts(Reader(data), str(path), encoded.measures)
        result.notes += encoded.prepared.messages
        missed = rate.target_error(encoded, encoded.request)
        result.warnings = [line for line in (missed, _hardly_usable(encoded)) if line]
        result.warnings += encoded.prepared.warnings
        return result

    def _remember(self, path: Path, data: bytes, origin: Origin) -> None:
        """Note what a regular file is made of."""
        if str(path) == "-" or (path.exists() and not path.is_file()):
            return
        state = self._states[path.parent]
        if self.remember or state.path.exists():
            state.remember(path.name, data, origin)

    @cached_property
    def _states(self) -> dict[Path, State]:
        from mtcodec.files.state import States

        return States()

    def _encode(self, scene: SceneFiles, tell: Callable[[str], None]) -> EncodedGroup:
        """A scene, encoded at the quality that is asked for or searched."""
        from mtcodec.codec.prepare import largest_size
        from mtcodec.files.scene import layout_units, read_scene
        from mtcodec.files.trees import attachments

        images = read_scene(scene, self.request.tasks, self.tasks, tell)
        attached = attachments.read(scene)
        settings = {**vars(self.request.for_tasks(images, layout_units(scene, images))), "attach": attached}
        if self.target_bpp is not None:
            pixels = math.prod(largest_size(images, self.request.numbers))
            settings["target_bytes"] = max(1, int(self.target_bpp * pixels / 8))
        return self._codec().encode_stored(images, **settings)

    def _codec(self) -> Codec:
        from mtcodec.codec.api import Codec

        if not hasattr(self, "_loaded"):
            set_threads(self.threads)
            self._loaded = Codec(self.weights, self.device, coding=self.request.coding)
        return self._loaded


def _hardly_usable(encoded: EncodedGroup) -> str:
    """A warning of tasks that are; empty if none is."""
    psnrs = [f"{task} {encoded.measures[task]['psnr']:.1f} dB" for task in encoded.below_floor()]
    if not psnrs:
        return ""
    return (
        f"hardly usable: {', '.join(psnrs)}. Try a higher --quality, --max-error or --lossless "
        "for it, other --weights, or train your own"
    )
