"""A dataset's scenes into an archive: workers that read and encode, one process that writes.

::

    scenes ─► batches of one size ─► worker: read, networks, entropy coding ─┐
                                     worker: …                               ├─► Writer ─► parts
                                     worker: …                               ┘

A run that was killed goes on where it was: what the finished parts hold is left out.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mtcodec.archive.engines import engine
from mtcodec.archive.layout import WEIGHTS, About, together
from mtcodec.archive.write import PART_ROWS, Writer, locked
from mtcodec.errors import MtcodecError, SceneError
from mtcodec.files.layouts import SceneFiles
from mtcodec.files.output import write_atomic
from mtcodec.tasks import task as registry
from mtcodec.tasks.task import Task
from mtcodec.weights import store

if TYPE_CHECKING:
    from mtcodec.codec.choice import Request
    from mtcodec.codec.codec import Codec
    from mtcodec.files.scene import Scene

SAMPLE = 8  # scenes that decide on weights
BATCH = 8  # scenes that share a pass through the networks

Made = list[tuple[str, bytes | str]]
"""Key, and a scene's file or what is wrong with it."""


@dataclass(frozen=True)
class Job:
    """How scenes are encoded; the same for all of them.

    Attributes:
        weights: path of the weights' file.
        tasks: read these.
    """

    weights: Path
    tasks: tuple[Task, ...]
    request: Request


@dataclass
class Summary:
    """What a run did.

    Attributes:
        scenes: encoded now; ``before``: there already.
        pixels: of the scenes encoded now.
        streams: bytes by stream.
        skipped: what was wrong, by key.
    """

    scenes: int = 0
    before: int = 0
    pixels: int = 0
    total: int = 0
    streams: dict[str, int] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)


def pack(
    scenes: Sequence[SceneFiles],
    output: Path,
    job: Job,
    *,
    settings: dict[str, Any],
    engine_name: str = "local",
    workers: int = 0,
    part_rows: int = PART_ROWS,
    skip_errors: bool = False,
    progress: Callable[[Summary, int], None] = lambda summary, total: None,
) -> Summary:
    """Encode ``scenes`` into the archive ``output``, which may have some of them already.

    Args:
        settings: what a later run must have too, to go on with it.
        engine_name, workers: see :func:`mtcodec.archive.engines.engine`.
        progress: called with what was done and the number of scenes in all.

    Raises:
        SceneError: a scene cannot be read or encoded, unless ``skip_errors``; what was done is kept.
        UsageError: two scenes of one key, or ``output`` has been made otherwise.
    """
    about = about_for(job, settings)
    summary = Summary()
    with locked(output):
        writer = Writer(output, about, part_rows)
        todo = [scene for scene in scenes if scene.key not in writer.keys]
        summary.before = len(scenes) - len(todo)
        keep_weights(output, about, job.weights)
        try:
            with engine(engine_name, workers, start, (job,)) as submit:
                for made in submit(encode_batch, batches(todo)):
                    for key, data in made:
                        if isinstance(data, bytes):
                            writer.add(key, data)
                            count(summary, data)
                        elif skip_errors:
                            summary.skipped[key] = data
                        else:
                            raise SceneError(data)
                    progress(summary, len(scenes))
        finally:
            writer.flush()
        writer.finish()
    return summary


def pack_scenes(
    scenes: Iterable[tuple[str, Scene]],
    output: Path,
    job: Job,
    *,
    settings: dict[str, Any],
    part_rows: int = PART_ROWS,
) -> Summary:
    """Like :func:`pack`, in this process, for scenes that some program has as arrays: (key, arrays by task).

    Keys that the archive has already are left out.
    """
    about = about_for(job, settings)
    summary = Summary()
    start(job)
    assert _codec is not None
    with locked(output):
        writer = Writer(output, about, part_rows)
        keep_weights(output, about, job.weights)
        try:
            for key, scene in scenes:
                if key in writer.keys:
                    summary.before += 1
                    continue
                for name, data in _encode_group(_codec, job.request, [(key, scene)]):
                    if not isinstance(data, bytes):
                        raise SceneError(data)
                    writer.add(name, data)
                    count(summary, data)
        finally:
            writer.flush()
        writer.finish()
    return summary


def most_suitable(
    names: Sequence[str], scenes: Sequence[SceneFiles], tasks: Sequence[Task], request: Request
) -> str:
    """Those of the installed weights ``names`` that cost a sample of ``scenes`` least.

    Scenes that cannot be read, and weights that cannot encode them, count for nothing here.
    """
    from mtcodec.codec import codec as codecs
    from mtcodec.codec.choice import cost, neural
    from mtcodec.files.scene import read_scene
    from mtcodec.format.quality import to_step

    sample = [scenes[i * len(scenes) // SAMPLE] for i in range(min(SAMPLE, len(scenes)))]
    plain = replace(request, coding="neural")
    costs: dict[str, list[float]] = {name: [] for name in names}
    codecs_by_name = {name: codecs.load(name, "auto") for name in names}
    for files in sample:
        try:
            scene = read_scene(files, tasks)
            found = {n: cost(c, neural(c, scene, plain), scene, plain.target, to_step(plain.quality))[1]
                     for n, c in codecs_by_name.items()}  # fmt: skip
        except MtcodecError:
            continue
        for name, value in found.items():
            costs[name].append(value)
    return min(names, key=lambda name: sum(costs[name]))


def about_for(job: Job, settings: dict[str, Any]) -> About:
    """What holds for all scenes of the archive."""
    from mtcodec.models.config import SHARED, ModelConfig

    info = store.describe(job.weights)
    streams = ModelConfig.from_json(info.config).graph.streams
    return About(info.fingerprint, job.tasks, SHARED in streams, settings)


def keep_weights(output: Path, about: About, path: Path) -> None:
    """Put the weights' file into the archive, so that it decodes anywhere."""
    assert about.weights is not None
    target = output / about.weights
    if not target.exists():
        (output / WEIGHTS).mkdir(exist_ok=True)
        write_atomic(target, path.read_bytes())


def batches(scenes: Sequence[SceneFiles]) -> Iterator[list[SceneFiles]]:
    """Parts of ``scenes`` in order; those of a batch that differ in size are encoded alone."""
    for start in range(0, len(scenes), BATCH):
        yield list(scenes[start : start + BATCH])


def count(summary: Summary, data: bytes) -> None:
    from mtcodec.format.container import parse_header

    header = parse_header(data)
    summary.scenes += 1
    summary.pixels += header.height * header.width
    summary.total += len(data)
    for section in header.sections:
        summary.streams[section.name] = summary.streams.get(section.name, 0) + section.length


# --- workers -----------------------------------------------------------------------------------------

_codec: Codec | None = None
_job: Job | None = None


def start(job: Job) -> None:
    """Load the codec of a worker."""
    global _codec, _job
    from mtcodec.codec import codec

    for task in job.tasks:
        registry.register(task)
    _codec, _job = codec.load(job.weights, "auto"), job


def encode_batch(batch: Sequence[SceneFiles]) -> Made:
    """Files of a batch; scenes that are of one size share the networks."""
    from mtcodec.files.scene import read_scene

    assert _codec is not None and _job is not None
    made: dict[str, bytes | str] = {}
    groups: dict[tuple[int, ...], list[tuple[str, Scene]]] = {}
    for files in batch:
        try:
            scene = read_scene(files, _job.tasks)
            groups.setdefault(next(iter(scene.values())).shape[:2], []).append((files.key, scene))
        except MtcodecError as error:
            made[files.key] = str(error)
    for size, group in groups.items():
        for few in together(group, math.prod(size)):
            made |= dict(_encode_group(_codec, _job.request, few))
    return [(files.key, made[files.key]) for files in batch]


def _encode_group(codec: Codec, request: Request, group: Sequence[tuple[str, Scene]]) -> Made:
    keys, scenes = [key for key, _ in group], [scene for _, scene in group]
    if request.coding == "neural" and not request.target:
        try:
            return list(zip(keys, request.encode_batch(codec, scenes)))
        except MtcodecError:
            pass  # one of them is not what it should be: find out which
    from mtcodec.codec.choice import best_of

    made: Made = []
    for key, scene in group:
        try:
            made.append((key, best_of([codec], scene, request)[0].data))
        except MtcodecError as error:
            made.append((key, f"scene {key}: {error}"))
    return made
