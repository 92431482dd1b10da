"""A dataset's scenes into an archive: workers that read and encode, one process that writes.

::

    scenes ─► worker: read, encode ─┐
              worker: …             ├─► Writer ─► shards
              worker: …             ┘

A run that was killed goes on where it was: what the finished shards hold is left out, if it was made of the
same images (:mod:`mtcodec.archive.state`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mtcodec.archive.engines import engine
from mtcodec.archive.manifest import Manifest
from mtcodec.archive.rows import columns_by_section
from mtcodec.archive.state import checksum_of_arrays, checksum_of_json
from mtcodec.archive.store import store_at
from mtcodec.archive.write import SHARD_ROWS, Writer
from mtcodec.codec.api import Codec
from mtcodec.codec.inputs import stored_scene
from mtcodec.codec.request import Request
from mtcodec.container.header import NO_WEIGHTS, Header, parse
from mtcodec.errors import MtcodecError, SceneError, UsageError
from mtcodec.files.origin import origin_of
from mtcodec.files.reading import AS_USUAL, Reading
from mtcodec.files.scene import bytes_on_disk, layout_units, read_scene
from mtcodec.files.trees import attachments
from mtcodec.files.trees.layouts import SceneFiles
from mtcodec.networks.weights.file import describe
from mtcodec.tasks import DTYPES, KINDS, Task, task_named


@dataclass(frozen=True)
class Job:
    """How scenes are encoded; the same for all of them.

    Attributes:
        weights: path of the weights' file; None: no networks.
        tasks: names of those that are read, and that the archive has.
        request: settings of encoding.
        attach: names of files that scenes have beside their images, as the user gave them.
        reading: how images of the scenes are read.
    """

    weights: Path | None
    tasks: tuple[str, ...]
    request: Request
    attach: tuple[str, ...] = ()
    reading: Reading = AS_USUAL

    def origin(self, scene: SceneFiles) -> bytes:
        """A checksum of what a scene would be made of now; settings are the manifest's."""
        return checksum_of_json(origin_of(scene, self.tasks))

    def codec(self) -> Codec:
        """The codec, whose networks are loaded when they are first needed."""
        return Codec(() if self.weights is None else self.weights, **vars(self.request))

    def manifest(self) -> Manifest:
        """What holds for all scenes of the archive; tasks that nothing declares are data of one channel."""
        declared = self.codec().tasks
        tasks = tuple(
            task_named(name, declared) or Task(name, KINDS["data"], 1, DTYPES) for name in self.tasks
        )
        fingerprint = NO_WEIGHTS if self.weights is None else describe(self.weights).fingerprint
        return Manifest(fingerprint, tasks, settings_of(self.request, self.attach, self.reading))


def settings_of(request: Request, attach: Sequence[str] = (), reading: Reading = AS_USUAL) -> dict[str, Any]:
    """What a manifest says of the request: quality, coding, effort, and whatever else is not the default.

    Tasks are declared elsewhere in the manifest. Of attachments only the names are kept.
    """
    settings = {name: value for name, value in request.to_json().items() if name != "tasks"}
    if names := [*attach, *request.attach]:
        settings["attach"] = names
    settings |= reading.settings()
    return settings


def check_key(key: str) -> None:
    """Raise SceneError where an archive cannot have a scene called ``key``: its keys are text."""
    if any("\ud800" <= character <= "\udfff" for character in key):
        raise SceneError("its name is no UTF-8, as keys of archives are: rename it")


@dataclass
class PackedScene:
    """A scene that a worker has encoded, or why it could not."""

    key: str
    data: bytes = b""  # the scene's file
    origin: bytes = b""  # a checksum of what it is made of
    read: int = 0  # bytes of its images on disk
    error: MtcodecError | None = None  # why there is no file
    messages: list[str] = field(default_factory=list)  # lines for people


class Packer:
    """Encodes scenes; one for every process."""

    def __init__(self, job: Job) -> None:
        self.job, self.codec = job, job.codec()

    def __call__(self, files: SceneFiles) -> PackedScene:
        """The file of a scene on disk, or what is wrong with it."""
        messages: list[str] = []
        origin = self.job.origin(files)  # images that change from here on are others
        try:
            check_key(files.key)
            scene = read_scene(files, self.codec.tasks, self.job.tasks, messages.append)
            data, encoder_messages = self.encode(scene, layout_units(files, scene), attachments.read(files))
        except MtcodecError as error:
            return PackedScene(files.key, error=error.at(path=files.label), messages=messages)
        messages += encoder_messages
        return PackedScene(files.key, data, origin, bytes_on_disk(files, scene), messages=messages)

    def encode(
        self, scene: Mapping[str, Any], units: Mapping[str, str] = {}, attach: Mapping[str, bytes] = {}
    ) -> tuple[bytes, list[str]]:
        """The file of a scene that is arrays by task, and lines for people.

        Args:
            units: of tasks, as the dataset says.
            attach: contents of files to keep, besides those of the request.

        Raises:
            SceneError: tasks that the archive has not, or the scene is not what its tasks declare.
        """
        unknown = sorted(set(scene) - set(self.job.tasks))
        if unknown:
            raise SceneError(f"has tasks that the archive has not: {', '.join(unknown)}")
        settings = vars(self.job.request.for_tasks(scene, units))
        settings = {**settings, "attach": {**settings["attach"], **attach}}
        encoded = self.codec.encode_stored(scene, **settings)
        return encoded.to_bytes(), [*encoded.prepared.messages, *encoded.prepared.warnings]


@dataclass
class Summary:
    """What a run did."""

    scenes: int = 0  # encoded now
    before: int = 0  # that were there already
    pixels: int = 0  # of the largest images of the scenes encoded now
    read: int = 0  # bytes of their images on disk
    total: int = 0  # bytes of their files
    columns: Counter[str] = field(default_factory=Counter)  # bytes of their payloads by column
    weights: int = 0  # bytes of the weights' file in the archive, 0 if none
    skipped: dict[str, MtcodecError] = field(default_factory=dict)  # what was wrong, by key
    notes: Counter[str] = field(default_factory=Counter)  # lines for people, and of how many scenes

    def add(self, header: Header, size: int, read: int = 0) -> None:
        """Count a scene's file of ``size`` bytes, whose images have ``read`` bytes on disk."""
        self.scenes += 1
        self.read += read
        self.pixels += header.pixels
        self.total += size
        columns = columns_by_section(header)
        for section in header.sections:
            self.columns[columns[section.name]] += section.length


def pack(
    scenes: Sequence[SceneFiles],
    output: str | Path,
    job: Job,
    *,
    engine_name: str = "local",
    workers: int = 0,
    shard_rows: int = SHARD_ROWS,
    skip_errors: bool = False,
    append: bool = False,
    progress: Callable[[Summary, int], None] = lambda summary, total: None,
) -> Summary:
    """Encode ``scenes`` into the archive ``output``, which may have some of them already.

    Args:
        output: a path, or a URL for fsspec (``s3://``).
        shard_rows: scenes of a shard.
        skip_errors: leave out scenes that cannot be read or encoded.
        append: the archive may have scenes that are not among ``scenes``.
        engine_name, workers: see :func:`mtcodec.archive.engines.engine`.
        progress: called with what was done and the number of scenes in all.

    Raises:
        SceneError: a scene cannot be read or encoded, unless ``skip_errors``; what was done is kept.
        UsageError: two scenes of one key, or ``output`` has been made otherwise.
        OutputError: ``output`` has some of the scenes, but of other images, or nothing tells of which.
    """
    with store_at(output).locked():
        writer = Writer(output, job.manifest(), shard_rows)
        foreign_keys = set() if append else writer.keys - {scene.key for scene in scenes}
        if foreign_keys:
            examples = f"{len(foreign_keys)}, such as {min(foreign_keys)!r}"
            raise UsageError(
                f"has scenes that the dataset has not ({examples}): --append adds to them", path=output
            )
        writer.state.check({scene.key: job.origin(scene) for scene in scenes if scene.key in writer.keys})
        todo = [scene for scene in scenes if scene.key not in writer.keys]
        summary = Summary(before=len(scenes) - len(todo))
        with engine(engine_name, workers, Packer, (job,)) as submit:
            _write(writer, job, submit(todo), summary, skip_errors, lambda: progress(summary, len(scenes)))
    return summary


def pack_scenes(
    scenes: Iterable[tuple[str, Mapping[str, Any]]],
    output: str | Path,
    job: Job,
    *,
    shard_rows: int = SHARD_ROWS,
) -> Summary:
    """Like :func:`pack`, in this process, for scenes that a program has as arrays.

    Args:
        scenes: keys, and images by task as :meth:`mtcodec.Codec.encode` takes them. Keys that the archive
            has already are left out, if their images are the same.

    Raises:
        SceneError, UsageError, OutputError: see :func:`pack`.
    """
    packer, summary = Packer(job), Summary()
    with store_at(output).locked():
        writer = Writer(output, job.manifest(), shard_rows)
        known_keys = frozenset(writer.keys)

        def encode_new() -> Iterator[PackedScene]:
            for key, scene in scenes:
                try:
                    check_key(key)
                    stored = stored_scene(scene, packer.codec.request)
                    origin = checksum_of_arrays(stored, job.request.attach)
                    if key in known_keys:
                        writer.state.check({key: origin})
                        summary.before += 1
                        continue
                    data, messages = packer.encode(stored)
                except MtcodecError as error:
                    raise error.at(scene=key) from error.__cause__
                yield PackedScene(key, data, origin, messages=messages)

        _write(writer, job, encode_new(), summary)
    return summary


def _write(
    writer: Writer,
    job: Job,
    packed_scenes: Iterable[PackedScene],
    summary: Summary,
    skip_errors: bool = False,
    progress: Callable[[], None] = lambda: None,
) -> None:
    """Add scenes to the archive, and to ``summary``; those before an error are written, too."""
    try:
        for packed in packed_scenes:
            summary.notes.update(set(packed.messages))
            if packed.error is None:
                header = parse(packed.data)
                if header.is_neural and job.weights is not None:
                    writer.keep_weights(job.weights.read_bytes)
                writer.add(packed.key, packed.data, packed.origin)
                summary.add(header, len(packed.data), packed.read)
            elif skip_errors:
                summary.skipped[packed.key] = packed.error
            else:
                raise packed.error
            progress()
    finally:
        writer.flush()
    writer.finish()
    summary.weights = writer.weights_size()
