"""Encoding and decoding as programs call them; the command line is the same with files."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from mtcodec import threads
from mtcodec.codec import decoder
from mtcodec.codec.decoder import OnDamage, Scene
from mtcodec.codec.inputs import stored_scene
from mtcodec.codec.request import Request
from mtcodec.codec.settings import updated
from mtcodec.codec.timeline import Timeline
from mtcodec.container import mtc
from mtcodec.container.attachments import read as read_attachments
from mtcodec.container.mtc import Reader
from mtcodec.container.section import MAX_PIXELS
from mtcodec.errors import SceneError, UsageError, WeightsNotFound
from mtcodec.messages import warn_of_loss
from mtcodec.networks.weights import store
from mtcodec.networks.weights.file import describe, model_config
from mtcodec.tasks import USUAL, Task

if TYPE_CHECKING:
    from mtcodec.codec.encoded import EncodedGroup
    from mtcodec.networks.engine import Networks

Data = bytes | bytearray | memoryview | str | Path | BinaryIO | Reader
"""A file: its bytes, its path, a seekable binary file, or a reader of it."""


def tasks_of(paths: Iterable[Path]) -> dict[str, Task]:
    """The usual declarations, and those that weights bring besides."""
    declarations = dict(USUAL)
    for path in paths:
        declared = model_config(describe(path)).tasks
        declarations |= {task.name: task for task in declared if task.name not in declarations}
    return declarations


class Codec:
    """An encoder and decoder with its weights.

    The headers of weights' files are read at once, networks are loaded when they are first needed.

    Args:
        weights: names or paths; ``auto``: of all that are installed, every scene gets what suits it best.
        device: where networks run: ``cpu``, or ``cuda``, which needs torch.
        settings: for every scene, in any form of :func:`mtcodec.codec.settings.updated`: fields of
            :class:`mtcodec.codec.request.Request`, and ``lossless="depth,normal"``.

    Raises:
        WeightsNotFound, WeightsInvalid: see :mod:`mtcodec.networks.weights`.
        UsageError: a setting that makes no sense.
    """

    def __init__(
        self, weights: str | Path | Sequence[str | Path] = store.AUTO, device: str = "cpu", **settings: Any
    ) -> None:
        names = [weights] if isinstance(weights, (str, Path)) else list(weights)
        self.paths = list(dict.fromkeys(path for name in names for path in store.resolve(name)))
        self.device = device
        self.request = updated(Request(tasks=tasks_of(self.paths)), settings)
        self.tasks: dict[str, Task] = dict(self.request.tasks)

    @property
    def name(self) -> str:
        """Names of its weights."""
        return ",".join(path.stem for path in self.paths)

    def networks(self) -> list[Networks]:
        """All of its networks, loaded once in a process."""
        return self._load_networks(self.paths)

    def networks_of(self, fingerprint: str) -> Networks:
        """The networks that a file was made with: its own, or installed ones."""
        from mtcodec.networks.engine import load

        for path in self.paths:
            if describe(path).fingerprint == fingerprint:
                return load(path, self.device)
        return load(store.find_fingerprint(fingerprint), self.device)

    def encode(
        self,
        scene: Mapping[str, Any],
        quality: float | str | None = None,
        *,
        layout: str = "auto",
        **settings: Any,
    ) -> bytes:
        """The bytes of an ``.mtc`` file of one scene.

        Decoded images are (H, W), or (H, W, C), whatever the layout was; of one channel (H, W, 1) if they
        were given so. Colours that are floats from 0 to 1 are stored as uint8, rounded to steps of 1/255; as
        uint16 where they are whole steps of 1/65535. Of tasks with losses, int32 tensors whose values fit are
        stored as uint16, int64 as uint32: samples of :class:`mtcodec.Archive` are encoded as they come.

        Args:
            scene: by task, an array (H, W) or (H, W, C) or (C, H, W), a CPU tensor of that shape, or a PIL
                image, or numbers, () or (N,). None and the ``key`` of a sample are left out.
            quality: 0 (smallest) to 100 (best), or a word of :data:`mtcodec.quality.WORDS`.
            layout: of arrays and tensors of three dimensions: ``hwc`` or ``chw``; ``auto``: whichever puts a
                usual number of channels in their place, see :func:`mtcodec.codec.inputs.stored_scene`.
            settings: others for this scene, in any form of :func:`mtcodec.codec.settings.updated`:
                ``lossless="depth"``, ``max_error={"depth": "5mm"}``, ``invalid="depth=9999"``.

        Raises:
            SceneError: the scene is not what its tasks declare, or its layout may be both.
            UsageError: a setting that makes no sense. TargetError: no quality reaches the target.

        Warns:
            MtcodecWarning: a unit is assumed where it matters, such as for a bound in mm.
        """
        return self.encode_scene(scene, quality, layout=layout, **settings).to_bytes()

    def encode_scene(
        self,
        scene: Mapping[str, Any],
        quality: float | str | None = None,
        *,
        layout: str = "auto",
        **settings: Any,
    ) -> EncodedGroup:
        """Like :meth:`encode`, with what was chosen, the decoded images and their measures."""
        request = self.request_for(quality, settings)
        encoded = self._encode(stored_scene(scene, request, layout), request)
        for line in [*encoded.prepared.messages, *encoded.prepared.warnings]:
            warn_of_loss(line)
        return encoded

    def encode_stored(
        self, scene: Mapping[str, Any], quality: float | str | None = None, **settings: Any
    ) -> EncodedGroup:
        """Like :meth:`encode_scene`, for arrays that are (H, W) or (H, W, C), in the dtypes to be stored."""
        return self._encode(scene, self.request_for(quality, settings))

    def request_for(self, quality: float | str | None, settings: dict[str, Any]) -> Request:
        """Its request with other settings for one scene."""
        return updated(self.request, settings if quality is None else {**settings, "quality": quality})

    def _encode(self, scene: Mapping[str, Any], request: Request) -> EncodedGroup:
        from mtcodec.codec import encoder

        return encoder.encode([scene], self._networks_for(scene, request), request)

    def encode_group(
        self, frames: Sequence[Mapping[str, Any]], timeline: Timeline, **settings: Any
    ) -> EncodedGroup:
        """The frames of a group, 1 to 64, together.

        Args:
            frames: arrays by task, each (H, W) or (H, W, C) or numbers, in the dtypes to be stored; a frame
                may lack tasks. All images of a task have one size and dtype.
            timeline: their names and times.

        Raises:
            SceneError: the images are not what their tasks declare, or differ from frame to frame.
            UsageError: a setting that makes no sense.
        """
        from mtcodec.codec import encoder

        request = self.request_for(None, settings)
        scene = {name: image for frame in frames for name, image in frame.items()}
        return encoder.encode(frames, self._networks_for(scene, request), request, timeline)

    def _networks_for(self, scene: Mapping[str, Any], request: Request) -> list[Networks]:
        """Those of its networks that know any task of ``scene``."""
        if request.coding == "classical" or not isinstance(scene, Mapping):
            return []
        names = {path: {task.name for task in model_config(describe(path)).tasks} for path in self.paths}
        return self._load_networks([path for path in self.paths if not names[path].isdisjoint(scene)])

    def _load_networks(self, paths: Sequence[Path]) -> list[Networks]:
        if not paths:
            return []
        from mtcodec.networks.engine import load

        return threads.parallel_map(lambda path: load(path, self.device), paths)

    def decode(
        self,
        data: Data,
        tasks: str | Iterable[str] | None = None,
        on_damage: OnDamage | None = None,
        max_pixels: int = MAX_PIXELS,
    ) -> Scene:
        """Arrays by task, in the dtypes of the originals.

        Args:
            data: of an open file, only the header and the sections that ``tasks`` need are read.
            tasks: one or several; all of the file's without it.
            on_damage: called for every task that is lost to damage, whereupon the others are decoded;
                without it the first such error is raised.
            max_pixels: larger images are refused (unless ``data`` is a reader, which has a limit of its own).

        Raises:
            FormatError: damaged or hostile bytes. WeightsNotFound: made with weights that are not there.
            UsageError: a task that the file lacks.
        """
        return self.decode_batch([data], tasks, on_damage, max_pixels)[0]

    def decode_batch(
        self,
        files: Sequence[Data],
        tasks: str | Iterable[str] | None = None,
        on_damage: OnDamage | None = None,
        max_pixels: int = MAX_PIXELS,
    ) -> list[Scene]:
        """Like :meth:`decode` for files of equal size and tasks, in one pass through the networks."""
        names = [tasks] if isinstance(tasks, str) else tasks
        readers = [reader_of(file, max_pixels) for file in files]
        return decoder.decode(readers, names, self.networks_of, on_damage)

    def decode_frames(
        self,
        reader: Reader,
        tasks: str | Iterable[str] | None = None,
        frames: Iterable[int] | None = None,
        on_damage: OnDamage | None = None,
    ) -> list[Scene]:
        """Arrays by task for some frames of a group, or for all; a frame lacks what the group lacks there.

        Raises:
            FormatError: damaged or hostile bytes. WeightsNotFound: made with weights that are not there.
            UsageError: a task that the group lacks.
        """
        names = [tasks] if isinstance(tasks, str) else tasks
        return decoder.decode_frames(reader, names, frames, self.networks_of, on_damage)


def reader_of(data: Data, max_pixels: int = MAX_PIXELS) -> Reader:
    """A reader of a file.

    Raises:
        SceneError: it cannot be read. FormatError: damaged.
    """
    if isinstance(data, Reader):
        return data
    if isinstance(data, (str, Path)):
        try:
            data = Path(data).read_bytes()
        except OSError as error:
            raise SceneError(f"cannot read it: {error.strerror or error}", path=str(data)) from error
    if isinstance(data, (bytearray, memoryview)):
        data = bytes(data)
    if not isinstance(data, bytes) and not hasattr(data, "seek"):
        raise UsageError(f"not a file but {type(data).__name__}")
    return Reader(data, max_pixels)


def load(
    weights: str | Path | Sequence[str | Path] = store.AUTO, device: str = "cpu", **settings: Any
) -> Codec:
    """A codec for many scenes, see :class:`Codec`; ``weights`` are loaded at once."""
    codec = Codec(weights, device, **settings)
    if not codec.paths:
        raise WeightsNotFound("no weights are installed")
    codec.networks()
    return codec


def encode(scene: Mapping[str, Any], quality: float | str | None = None, **settings: Any) -> bytes:
    """The bytes of an ``.mtc`` file of one scene, see :class:`Codec` for ``weights`` and ``device``, and
    :meth:`Codec.encode` for the others."""
    codec_settings = {name: settings.pop(name) for name in ("weights", "device") if name in settings}
    return Codec(**codec_settings).encode(scene, quality, **settings)


def decode(data: Data, tasks: str | Iterable[str] | None = None, device: str = "cpu") -> Scene:
    """Arrays by task of a file, with the weights that it names, see :meth:`Codec.decode`."""
    return Codec((), device).decode(data, tasks)


def info(data: Data) -> dict[str, Any]:
    """What a file holds: size, quality, weights, bytes by section and by task; decodes nothing.

    Raises:
        FormatError: ``data`` is not a whole header, or has bytes after its last section.
    """
    from mtcodec.codec.info import summary

    return summary(reader_of(data))


def attachments(data: Data) -> dict[str, bytes]:
    """Contents by name of the files that are kept beside a scene's images.

    Raises:
        FormatError: damaged.
    """
    return read_attachments(reader_of(data))


def extract(data: Data, tasks: str | Iterable[str]) -> bytes:
    """A file of ``tasks`` only, made of the same sections; decodes nothing."""
    return mtc.extract(reader_of(data), [tasks] if isinstance(tasks, str) else tasks)
