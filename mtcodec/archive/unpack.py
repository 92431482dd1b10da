"""An archive's scenes to images, or to a smaller archive."""

from __future__ import annotations

import math
import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from mtcodec.archive.engines import engine
from mtcodec.archive.layout import together
from mtcodec.archive.read import Opened
from mtcodec.archive.write import PART_ROWS, Writer, locked
from mtcodec.coders import sections
from mtcodec.errors import FormatError, MtcodecError, OutputError, UsageError, WeightsError
from mtcodec.files.image_output import suffix_for, write_image
from mtcodec.files.output import write_atomic
from mtcodec.format import container
from mtcodec.format.container import Parts
from mtcodec.tasks import task as registry
from mtcodec.weights import store as weights

if TYPE_CHECKING:
    from mtcodec.codec.codec import Codec
    from mtcodec.files.scene import Scene

BATCH = 16

Entry = tuple[str, "Parts | FormatError"]
Progress = Callable[[int, int], None]
"""Called with scenes done and scenes in all."""


def codec_of(opened: Opened, device: str = "auto") -> Codec | None:
    """The codec of an archive, from installed weights or its own; None if it needs none."""
    from mtcodec.codec import codec

    if opened.about.weights is None:
        return None
    try:
        return codec.load(weights.find_fingerprint(opened.about.fingerprint), device)
    except WeightsError:
        data = opened.weights_bytes()
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / f"{opened.about.fingerprint}{weights.SUFFIX}"
        path.write_bytes(data)
        return codec.load(path, device)


def decode(
    codec: Codec | None, entries: Sequence[Entry], tasks: Sequence[str]
) -> Iterator[tuple[str, Scene]]:
    """Images of those ``tasks`` that scenes have; scenes of a batch that are alike share the networks.

    Raises:
        FormatError: damage; its message names the scene.
    """
    groups: dict[tuple[tuple[int, int], tuple[tuple[str, bool], ...]], list[tuple[str, Parts]]] = {}
    for key, parts in entries:
        if isinstance(parts, FormatError):
            raise parts
        header = parts.header
        own = tuple((n, s.neural) for n in tasks if (s := header.section(n)))
        groups.setdefault(((header.height, header.width), own), []).append((key, parts))
    alike = ((own, few) for (size, own), group in groups.items() for few in together(group, math.prod(size)))
    for own, group in alike:
        wanted = [name for name, _ in own]
        try:
            if any(neural for _, neural in own):
                if codec is None:
                    raise FormatError("needs networks, but the archive names no weights")
                yield from zip((key for key, _ in group), codec.decode_batch([p for _, p in group], wanted))
            else:
                declared = {} if codec is None else codec.tasks
                for key, parts in group:
                    yield key, {n: sections.read(parts, n, declared.get(n)) for n in wanted}
        except FormatError as error:
            if len(group) == 1:
                raise FormatError(f"scene {group[0][0]}: {error}") from error
            for entry in group:  # find out which
                yield from decode(codec, [entry], tasks)


# --- to images ---------------------------------------------------------------------------------------

Work = tuple[int, int, int]
"""Group, first and last + 1 of its scenes."""


@dataclass
class _Worker:
    opened: Opened
    codec: Codec | None
    tasks: list[str]
    keys: frozenset[str] | None
    output: Path
    force: bool
    group: int = -1
    entries: list[Entry] = field(default_factory=list)


_worker: _Worker | None = None


def unpack(
    opened: Opened,
    output: Path,
    tasks: Sequence[str] | None = None,
    keys: Sequence[str] | None = None,
    *,
    engine_name: str = "local",
    workers: int = 1,
    force: bool = False,
    progress: Progress = lambda done, total: None,
) -> int:
    """Write images to ``output``/<key>/<task>.png (or .npy) and return the number of scenes.

    Args:
        tasks, keys: all without them.
        engine_name, workers: see :func:`mtcodec.archive.engines.engine`.
        force: overwrite images.

    Raises:
        UsageError: a task or key that the archive lacks.
        FormatError: a damaged scene. OutputError: an image is there already.
    """
    wanted = [t.name for t in opened.about.tasks] if tasks is None else list(tasks)
    opened.about.needs(wanted)
    chosen = None if keys is None else frozenset(keys)
    total, done = opened.rows if chosen is None else len(chosen), 0
    found: set[str] = set()
    arguments = (opened.path, opened.max_pixels, wanted, chosen, str(output), force)
    with engine(engine_name, workers, start, arguments) as submit:
        for written in submit(write_some, work_of(opened, workers or os.cpu_count() or 1)):
            done += len(written)
            progress(done, total)
            if chosen is not None:
                found.update(written)
    if chosen is not None and chosen - found:
        raise UsageError(f"{opened.path}: no scene {min(chosen - found)!r}")
    return done


def work_of(opened: Opened, workers: int) -> Iterator[Work]:
    """Everything: whole groups, each fetched by whoever gets it, or parts of them if they are few."""
    few = len(opened.groups) < 4 * workers
    for index, group in enumerate(opened.groups):
        size = max(BATCH, -(-group.rows // (4 * workers))) if few else group.rows
        for first in range(0, group.rows, size):
            yield index, first, min(first + size, group.rows)


def start(
    path: str, max_pixels: int, tasks: list[str], keys: frozenset[str] | None, output: str, force: bool
) -> None:
    """Open the archive and load the codec of a worker."""
    global _worker
    opened = Opened(path, max_pixels)
    for task in opened.about.tasks:
        registry.register(task)
    _worker = _Worker(opened, codec_of(opened, "auto"), tasks, keys, Path(output), force)


def write_some(work: Work) -> list[str]:
    """Write the images of a part of a group; returns keys."""
    assert _worker is not None
    index, first, last = work
    opened, keys, own = _worker.opened, _worker.keys, _worker.opened.groups[index]
    if keys is not None:  # is there anything to fetch?
        listed = opened.column(own, ["key"])["key"].to_pylist()[first:last]
        if keys.isdisjoint(listed):
            return []
    if _worker.group != index:
        _worker.group, _worker.entries = index, opened.entries(own, _worker.tasks)
    entries = [e for e in _worker.entries[first:last] if keys is None or e[0] in keys]
    written = []
    for at in range(0, len(entries), BATCH):
        for key, scene in decode(_worker.codec, entries[at : at + BATCH], _worker.tasks):
            write_images(safe(_worker.output, key), scene, _worker.force)
            written.append(key)
    return written


def write_images(directory: Path, scene: Scene, force: bool) -> None:
    """The images of a scene, under the names of their tasks."""
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{directory}: cannot make it: {error.strerror}") from error
    for name, image in scene.items():
        path = directory / f"{name}{suffix_for(image)}"
        if path.exists() and not force:
            raise OutputError(f"{path}: exists already (--force overwrites it)")
        write_image(path, image)


def safe(output: Path, key: str) -> Path:
    """The directory of a scene, which a key of a stranger's archive cannot move out of ``output``."""
    parts = key.split("/")
    if not key or any(part in ("", ".", "..") or "\\" in part or "\0" in part for part in parts):
        raise FormatError(f"a scene is called {key!r}, which is no path inside the output")
    return output.joinpath(*parts)


# --- to an archive -----------------------------------------------------------------------------------


def extract(
    opened: Opened, output: Path, tasks: Sequence[str], progress: Progress = lambda d, t: None
) -> int:
    """Copy the columns of ``tasks`` into a new archive; nothing is decoded.

    Scenes that have none of them are left out. Returns the number of scenes.
    """
    about = opened.about
    about.needs(tasks)
    kept = about.only(tasks)
    with locked(output):
        if any(output.glob("part-*.parquet")):
            raise OutputError(f"{output}: has an archive already")
        writer = Writer(output, kept, PART_ROWS)
        for done, (key, parts) in enumerate(opened.all_entries(tasks), 1):
            if isinstance(parts, FormatError):
                raise parts
            own = [n for n in tasks if parts.header.section(n)]
            if own:
                writer.add(key, container.extract(parts, own))
            progress(done, opened.rows)
        if kept.weights is not None:
            (output / kept.weights).parent.mkdir(exist_ok=True)
            write_atomic(output / kept.weights, opened.weights_bytes())
        writer.finish()
        return len(writer.keys)


# --- checks ------------------------------------------------------------------------------------------


@dataclass
class Verified:
    """Attributes:
    damaged: what is wrong, by key.
    """

    scenes: int = 0
    damaged: dict[str, str] = field(default_factory=dict)


def verify(opened: Opened, decoding: bool = False, progress: Progress = lambda d, t: None) -> Verified:
    """Check every checksum of an archive and, if ``decoding``, decode everything."""
    result = Verified()
    codec = codec_of(opened) if decoding else None
    names = [t.name for t in opened.about.tasks]
    for key, parts in opened.all_entries():
        result.scenes += 1
        try:
            if isinstance(parts, FormatError):
                raise parts
            for section in parts.header.sections:
                parts.payload(section.name)
            if decoding:
                list(decode(codec, [(key, parts)], names))
        except MtcodecError as error:
            result.damaged[key] = str(error)
        progress(result.scenes, opened.rows)
    return result
