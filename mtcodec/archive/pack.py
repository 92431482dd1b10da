"""A dataset's scenes into an archive: workers that read and encode, one process that writes.

::

    scenes ─► worker: read, encode ─┐
              worker: …             ├─► Writer ─► parts
              worker: …             ┘

A run that was killed goes on where it was: what the finished parts hold is left out.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mtcodec.archive.engines import engine
from mtcodec.archive.manifest import About, column_of
from mtcodec.archive.write import PART_ROWS, Writer, locked
from mtcodec.codec.api import Codec
from mtcodec.codec.request import Request
from mtcodec.container.header import NO_WEIGHTS, Header, parse
from mtcodec.errors import MtcodecError, SceneError, UsageError
from mtcodec.files import attachments
from mtcodec.files.layouts import SceneFiles
from mtcodec.files.scene import bytes_on_disk, layout_units, read_scene
from mtcodec.networks.weights.file import describe
from mtcodec.tasks import DTYPES, KINDS, Task


@dataclass(frozen=True)
class Job:
    """How scenes are encoded; the same for all of them.

    Attributes:
        weights: path of the weights' file; None: no networks.
        tasks: names of those that are read, and that the archive has.
        attach: names of files that scenes have beside their images, as they were given.
    """

    weights: Path | None
    tasks: tuple[str, ...]
    request: Request
    attach: tuple[str, ...] = ()

    def codec(self) -> Codec:
        """The codec, whose networks are loaded when they are first needed."""
        return Codec(() if self.weights is None else self.weights, **vars(self.request))

    def about(self) -> About:
        """What holds for all scenes of the archive."""
        known = self.codec().tasks
        tasks = tuple(known.get(name) or Task(name, KINDS["data"], 1, DTYPES) for name in self.tasks)
        fingerprint = NO_WEIGHTS if self.weights is None else describe(self.weights).fingerprint
        return About(fingerprint, tasks, settings_of(self.request, self.attach))


def settings_of(request: Request, attach: Sequence[str] = ()) -> dict[str, Any]:
    """What an archive tells of the request: quality, coding, effort, and whatever else is not the default.

    Declarations of tasks are told beside it; of files, the names.
    """
    usual, always = vars(Request()), ("quality", "coding", "effort")
    apart = ("tasks", "attach")
    told = {n: v for n, v in vars(request).items() if n not in apart and (n in always or v != usual[n])}
    names = [*attach, *request.attach]
    if names:
        told["attach"] = names
    settings: dict[str, Any] = json.loads(json.dumps(told, default=dict))
    return settings


@dataclass
class Made:
    """What a worker made of a scene.

    Attributes:
        data: the scene's file. read: bytes of its images on disk. error: why there is no file.
        notes: lines for people.
    """

    key: str
    data: bytes = b""
    read: int = 0
    error: MtcodecError | None = None
    notes: list[str] = field(default_factory=list)


class Packer:
    """Encodes scenes; one for every process."""

    def __init__(self, job: Job) -> None:
        self.job, self.codec = job, job.codec()

    def __call__(self, files: SceneFiles) -> Made:
        """The file of a scene on disk, or what is wrong with it."""
        notes: list[str] = []
        try:
            scene = read_scene(files, self.codec.tasks, self.job.tasks, notes.append)
            data, more = self.encode(scene, layout_units(files, scene), attachments.read(files))
        except MtcodecError as error:
            return Made(files.key, error=error.at(path=files.label), notes=notes)
        return Made(files.key, data, bytes_on_disk(files, scene), notes=notes + more)

    def encode(
        self, scene: Mapping[str, Any], units: Mapping[str, str] = {}, attach: Mapping[str, bytes] = {}
    ) -> tuple[bytes, list[str]]:
        """The file of a scene as arrays by task, and lines for people; ``units`` as the dataset tells.

        ``attach``: contents of files to keep, besides those of the request.
        """
        unknown = sorted(set(scene) - set(self.job.tasks))
        if unknown:
            raise SceneError(f"has tasks that the archive has not: {', '.join(unknown)}")
        own = vars(self.job.request.only(scene, units))
        encoded = self.codec.encode_scene(scene, **{**own, "attach": {**own["attach"], **attach}})
        return encoded.to_bytes(), list(encoded.prepared.messages)


@dataclass
class Summary:
    """What a run did.

    Attributes:
        scenes: encoded now; ``before``: there already.
        pixels: of the scenes encoded now; read: bytes of their images on disk; total: of their files.
        columns: bytes of payloads by column. weights: of the weights' file in the archive, 0 if none.
        skipped: what was wrong, by key.
        notes: lines for people, and of how many scenes.
    """

    scenes: int = 0
    before: int = 0
    pixels: int = 0
    read: int = 0
    total: int = 0
    columns: Counter[str] = field(default_factory=Counter)
    weights: int = 0
    skipped: dict[str, MtcodecError] = field(default_factory=dict)
    notes: Counter[str] = field(default_factory=Counter)

    def add(self, header: Header, size: int, read: int = 0) -> None:
        """Count a scene's file of so many bytes, made of so many."""
        self.scenes += 1
        self.read += read
        self.pixels += header.height * header.width
        self.total += size
        for section in header.sections:
            self.columns[column_of(section.name)] += section.length


def pack(
    scenes: Sequence[SceneFiles],
    output: str | Path,
    job: Job,
    *,
    engine_name: str = "local",
    workers: int = 0,
    part_rows: int = PART_ROWS,
    skip_errors: bool = False,
    append: bool = False,
    progress: Callable[[Summary, int], None] = lambda summary, total: None,
) -> Summary:
    """Encode ``scenes`` into the archive ``output``, which may have some of them already.

    Args:
        output: a path, or a URL for fsspec (``s3://``).
        append: the archive may have scenes that are not among ``scenes``.
        engine_name, workers: see :func:`mtcodec.archive.engines.engine`.
        progress: called with what was done and the number of scenes in all.

    Raises:
        SceneError: a scene cannot be read or encoded, unless ``skip_errors``; what was done is kept.
        UsageError: two scenes of one key, or ``output`` has been made otherwise.
    """
    with locked(output):
        writer = Writer(output, job.about(), part_rows)
        others = set() if append else writer.keys - {scene.key for scene in scenes}
        if others:
            raise UsageError(f"has scenes that the dataset has not ({len(others)}, such as {min(others)!r}):"
                             " --append adds to them", path=output)  # fmt: skip
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
    part_rows: int = PART_ROWS,
) -> Summary:
    """Like :func:`pack`, in this process, for scenes that some program has as arrays: (key, arrays by task).

    Keys that the archive has already are left out.
    """
    summary, packer = Summary(), Packer(job)
    with locked(output):
        writer = Writer(output, job.about(), part_rows)
        there = set(writer.keys)

        def made() -> Iterator[Made]:
            for key, scene in scenes:
                if key in there:
                    summary.before += 1
                    continue
                try:
                    data, notes = packer.encode(scene)
                except MtcodecError as error:
                    error.at(scene=key)
                    raise
                yield Made(key, data, notes=notes)

        _write(writer, job, made(), summary)
    return summary


def _write(
    writer: Writer,
    job: Job,
    results: Iterable[Made],
    summary: Summary,
    skip_errors: bool = False,
    progress: Callable[[], None] = lambda: None,
) -> None:
    """Add ``results`` to the archive, whatever comes in between, and to ``summary``."""
    try:
        for made in results:
            summary.notes.update(set(made.notes))
            if made.error is None:
                header = parse(made.data)
                if header.is_neural and job.weights is not None:
                    writer.keep_weights(job.weights.read_bytes)
                writer.add(made.key, made.data)
                summary.add(header, len(made.data), made.read)
            elif skip_errors:
                summary.skipped[made.key] = made.error
            else:
                raise made.error
            progress()
    finally:
        writer.flush()
    writer.finish()
    summary.weights = writer.weights_size()
