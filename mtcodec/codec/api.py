"""Encoding and decoding as programs call them; the command line is the same with files."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from mtcodec import threads
from mtcodec.codec import decoder
from mtcodec.codec.decoder import OnDamage, Scene
from mtcodec.codec.request import Request
from mtcodec.container import mtc
from mtcodec.container.attachments import read as read_attachments
from mtcodec.container.header import MAX_PIXELS
from mtcodec.container.mtc import Reader
from mtcodec.errors import SceneError, UsageError, WeightsNotFound
from mtcodec.networks.weights import store
from mtcodec.networks.weights.file import describe, model_config
from mtcodec.quality import number_of
from mtcodec.tasks import USUAL, Task

if TYPE_CHECKING:
    from mtcodec.codec.encoded import EncodedScene
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
        settings: fields of :class:`mtcodec.codec.request.Request` other than its defaults, for every scene.

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
        self.tasks: dict[str, Task] = {**tasks_of(self.paths), **settings.pop("tasks", {})}
        self.request = _request({"tasks": self.tasks, **settings})

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

    def encode(self, scene: Mapping[str, Any], quality: float | str | None = None, **settings: Any) -> bytes:
        """The bytes of an ``.mtc`` file of one scene.

        Args:
            scene: by task, an array (H, W) or (H, W, C), a CPU tensor of that shape, or a PIL image; all of
                one size.
            quality: 0 (smallest) to 100 (best), or a word of :data:`mtcodec.quality.WORDS`.
            settings: other fields of :class:`mtcodec.codec.request.Request` for this scene.

        Raises:
            SceneError: the scene is not what its tasks declare. UsageError: a setting that makes no sense.
            TargetError: no quality reaches the target.
        """
        return self.encode_scene(scene, quality, **settings).to_bytes()

    def encode_scene(
        self, scene: Mapping[str, Any], quality: float | str | None = None, **settings: Any
    ) -> EncodedScene:
        """Like :meth:`encode`, with what was chosen, the decoded images and their measures."""
        from mtcodec.codec import encoder

        if quality is not None:
            settings["quality"] = quality
        request = _request({**vars(self.request), **settings})
        return encoder.encode(scene, self._networks_for(scene, request), request)

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


def _request(settings: Mapping[str, Any]) -> Request:
    """The request of these settings; qualities may be words."""
    fields = dict(settings)
    if isinstance(fields.get("quality"), str):
        fields["quality"] = number_of(fields["quality"])
    try:
        return Request(**fields)
    except TypeError as error:
        raise UsageError(f"no such setting: {error}") from error


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
