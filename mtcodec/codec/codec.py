"""Scenes to bytes and back.

Symbols come from the integer networks of :mod:`mtcodec.models.entropy.stream`, their bytes from
:mod:`mtcodec.entropy`, and :mod:`mtcodec.format.container` puts them together. A batch of scenes of one size shares
the network passes; every scene has coders of its own, so its bytes do not depend on the batch.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
import torch
from torch import Tensor

from mtcodec.bitstreams import labels
from mtcodec.bitstreams.range_coder import Decoder, Encoder, Tables
from mtcodec.coders import exact, sections
from mtcodec.errors import FormatError, SceneError, SectionError, UsageError, WeightsNotFound
from mtcodec.files.scene import Scene, check_scene
from mtcodec.format import container
from mtcodec.format.container import SHARED, Header, Reader, Section
from mtcodec.format.quality import DEFAULT, to_step
from mtcodec.models.entropy.stream import SYMBOL_LIMIT, Z_LIMIT, Rows, Step, StreamModel
from mtcodec.models.multitask import ALIGNMENT, MultiTask
from mtcodec.signal import layers
from mtcodec.signal.layers import Layers, Prepared
from mtcodec.tasks import task as registry
from mtcodec.tasks.task import Task
from mtcodec.weights import store as weights

OnDamage = Callable[[SectionError], None]
Invalid = Mapping[str, Sequence[tuple[float, ...]]]


@dataclass
class _Job:
    """One scene of a batch while it is encoded."""

    scene: Scene
    prepared: dict[str, Prepared]  # of what the networks encode
    ready: dict[str, exact.Coded]  # sections of other codings
    steps: list[int]  # quality steps: shared, then the model's tasks


@dataclass
class Decoded:
    """A stream of a batch of files."""

    y_hat: Tensor  # integers, units of 1/16 symbol; empty for a task without a stream of its own
    rows: Rows | None
    layers: list[Layers]  # by file


class Codec:
    """Networks, probability tables and the fingerprint that files name them by.

    Calls are independent of each other; one codec may be shared between threads.
    """

    def __init__(self, model: MultiTask, tables: Tables, info: weights.WeightsInfo, device: str) -> None:
        self.model = model.to(device)
        self.tables = tables
        self.info = info
        self.device = device
        self.tasks = {t.name: t for t in model.config.tasks}

    # --- encoding --------------------------------------------------------------------------------

    def encode(
        self,
        scene: Scene,
        quality: float = DEFAULT,
        task_quality: Mapping[str, float] | None = None,
        invalid: Invalid | None = None,
        max_error: Mapping[str, float] | None = None,
        ready: exact.Ready | None = None,
    ) -> bytes:
        """Bytes of an ``.mtc`` file of one scene.

        Args:
            scene: arrays by task, (H, W) or (H, W, C), in one of the task's dtypes; all of one size.
            quality: 0 (smallest) to 100 (best).
            task_quality: other qualities for single tasks' own streams.
            invalid: by task, stored values of holes besides the usual ones (0, 65535, NaN for depth, zero
                vectors); holes come back exactly.
            max_error: by task, by how much a stored value may be off at most, whatever the quality; 0 is
                lossless. Such tasks do not go through the networks.
            ready: by task, sections to store instead of the networks' (:mod:`mtcodec.codec.choice`).

        Raises:
            SceneError: the scene is not what its tasks declare. UsageError: a quality out of range.
        """
        job = self._job(scene, quality, task_quality or {}, invalid or {}, max_error or {}, ready or {})
        return self._encode_jobs([job])[0]

    def encode_batch(
        self,
        scenes: Sequence[Scene],
        quality: float = DEFAULT,
        task_quality: Mapping[str, float] | None = None,
        invalid: Invalid | None = None,
        max_error: Mapping[str, float] | None = None,
    ) -> list[bytes]:
        """Like :meth:`encode` for scenes of equal size, in one pass through the networks."""
        own, holes, bounds = task_quality or {}, invalid or {}, max_error or {}
        return self._encode_jobs([self._job(scene, quality, own, holes, bounds, {}) for scene in scenes])

    def _encode_jobs(self, jobs: list[_Job]) -> list[bytes]:
        sizes = {next(iter(job.scene.values())).shape[:2] for job in jobs}
        if len(sizes) != 1:
            raise SceneError("scenes of a batch have different sizes")
        payloads: list[dict[str, bytes]] = [{} for _ in jobs]
        if any(job.prepared for job in jobs):
            self._encode_neural(jobs, payloads)
        return [self._assemble(*pair) for pair in zip(jobs, payloads)]

    def _job(
        self,
        scene: Scene,
        quality: float,
        task_quality: Mapping[str, float],
        invalid: Invalid,
        max_error: Mapping[str, float],
        given: exact.Ready,
    ) -> _Job:
        for value in (quality, *task_quality.values()):
            if not 0 <= value <= 100:
                raise UsageError(f"quality must be 0 to 100, not {value}")
        for name in task_quality:
            if name not in scene or name not in self.tasks or name in max_error:
                raise UsageError(f"a quality for task {name!r}, which the scene lacks or stores losslessly")
            if name not in self.model.graph.streams:
                raise UsageError(
                    f"weights {self.info.name!r} have one quality for all tasks, none for {name!r}"
                )
        height, width = check_scene(scene, declared=self.tasks)
        if max(height, width) > container.MAX_SIDE or height * width > container.MAX_PIXELS:
            raise SceneError(f"{width}×{height} pixels are more than a file can hold")
        for name in scene:
            if name not in self.tasks and not _lossless(name) and name not in max_error:
                known = ", ".join(self.tasks)
                raise SceneError(f"task {name!r} is not among those of weights {self.info.name!r} ({known})")
        for name in invalid:
            if name not in scene or _lossless(name):
                raise UsageError(f"holes of task {name!r}, which the scene lacks or stores losslessly")
        for name in max_error:
            if name not in scene or _lossless(name):
                raise UsageError(f"a bound for task {name!r}, which the scene lacks or stores losslessly")
        prepared = {
            name: layers.prepare(task, scene[name], invalid.get(name, ()))
            for name, task in self.tasks.items()
            if name in scene and name not in max_error and name not in given
        }
        ready = dict(given) | {
            name: exact.encode(self.declaration(name), scene[name], bound, invalid.get(name, ()))
            for name, bound in max_error.items()
        }
        steps = [quality, *(task_quality.get(name, quality) for name in self.tasks)]
        return _Job(scene, prepared, ready, [to_step(q) for q in steps])

    def declaration(self, name: str) -> Task:
        """The declaration of ``name``, those of the weights first."""
        return self.tasks.get(name) or registry.get(name)

    @torch.inference_mode()
    def _encode_neural(self, jobs: list[_Job], payloads: list[dict[str, bytes]]) -> None:
        planes = {name: self._stack(jobs, name) for name in self.tasks}
        present = torch.tensor(
            [[float(n in j.prepared) for n in self.tasks] for j in jobs], device=self.device
        )
        steps = torch.tensor([j.steps for j in jobs], device=self.device)
        shared: Tensor | None = None
        for name, y in self.model.analyse(planes, present, steps).items():
            if name == SHARED or any(name in job.prepared for job in jobs):
                given = self.model.condition(name, shared)
                coded = self._encode_stream(y, steps[:, self.model.column(name)], given, payloads, name)
                if name == SHARED:
                    shared = StreamModel.canonical(*coded)

    def _stack(self, jobs: list[_Job], name: str) -> Tensor:
        """Planes of one task of all scenes, padded; zeros where a scene lacks it."""
        height, width = next(iter(jobs[0].scene.values())).shape[:2]
        shape = (self.tasks[name].channels, _aligned(height), _aligned(width))
        batch = np.zeros((len(jobs), *shape), np.float32)
        for i, job in enumerate(jobs):
            if name in job.prepared:
                pad = ((0, 0), (0, shape[1] - height), (0, shape[2] - width))
                batch[i] = np.pad(job.prepared[name].planes, pad, mode="edge")
        return torch.from_numpy(batch).to(self.device)

    def _encode_stream(
        self,
        y: Tensor,
        step: Tensor,
        condition: Tensor | None,
        payloads: list[dict[str, bytes]],
        name: str,
    ) -> tuple[Tensor, Rows]:
        stream = self.model.stream(name)
        rows = stream.rows(stream.tables(), step)
        coders = [Encoder(self.tables) for _ in payloads]

        def put(request: Step, symbols: Tensor) -> None:
            mask = request.mask.cpu().numpy()
            values, index = symbols.cpu().numpy(), request.index.cpu().numpy()
            for i, coder in enumerate(coders):
                coder.put(values[i][mask].astype(np.int32), index[i][mask].astype(np.uint8))

        y_hat = stream.encode(y, stream.h_a(y), rows, condition, put)
        for payload, coder in zip(payloads, coders):
            payload[name] = coder.finish()
        return y_hat, rows

    def _assemble(self, job: _Job, payloads: dict[str, bytes]) -> bytes:
        height, width = next(iter(job.scene.values())).shape[:2]
        described, kept = [], {}
        neural = bool(job.prepared)
        if neural and SHARED in payloads:
            described.append(Section(SHARED, "neural", "uint8", None, None, 0, 0))
            kept[SHARED] = payloads[SHARED]
        for i, (name, task) in enumerate(self.tasks.items()):
            if name in job.prepared:
                dtype, own = job.scene[name].dtype.name, job.prepared[name]
                limits = (own.scale.low, own.scale.high) if task.scene_range(dtype) else None
                coding, front = ("neural", b"") if own.layers.plain else ("layered", layers.pack(own.layers))
                described.append(Section(name, coding, dtype, job.steps[i + 1], limits, 0, 0))
                kept[name] = front + payloads.get(name, b"")  # a mixed codec has no streams of tasks' own
        for name, image in job.scene.items():
            if name in job.ready:
                coding, limits, kept[name] = job.ready[name]
                described.append(Section(name, coding, image.dtype.name, None, limits, 0, 0))
            elif name not in job.prepared:
                described.append(Section(name, "labels", image.dtype.name, None, None, 0, 0))
                kept[name] = labels.encode_labels(image)
        fingerprint = self.info.fingerprint if neural else container.NO_WEIGHTS
        return container.build(Header(fingerprint, height, width, job.steps[0], tuple(described)), kept)

    # --- decoding --------------------------------------------------------------------------------

    def decode(
        self,
        data: bytes | BinaryIO | Reader,
        tasks: Iterable[str] | None = None,
        on_damage: OnDamage | None = None,
        max_pixels: int = container.MAX_PIXELS,
    ) -> Scene:
        """Arrays by task, in the dtypes and ranges of the original.

        Args:
            data: a whole file's bytes, or a seekable binary file, of which only the header and the
                sections that ``tasks`` need are read.
            tasks: all of the file's without it.
            on_damage: called for every task that is lost to damage, whereupon the others are decoded;
                without it the first such error is raised.
            max_pixels: larger images are refused (unless ``data`` is a Reader, which has a limit of its own).

        Raises:
            FormatError: damaged or hostile bytes. WeightsNotFound: made with other weights.
            UsageError: a task that the file lacks.
        """
        return self.decode_batch([_reader(data, max_pixels)], tasks, on_damage)[0]

    def decode_batch(
        self,
        files: Sequence[bytes | BinaryIO | Reader],
        tasks: Iterable[str] | None = None,
        on_damage: OnDamage | None = None,
    ) -> list[Scene]:
        """Like :meth:`decode` for files of equal size and task list, in one pass through the networks."""
        readers = [_reader(f) for f in files]
        header = readers[0].header
        wanted = list(header.tasks if tasks is None else dict.fromkeys(tasks))
        scenes: list[Scene] = [{} for _ in readers]
        for reader in readers:
            self._check(reader.header, header, wanted)
        neural = [n for n in wanted if _section(header, n).neural]
        for name in wanted:
            if name not in neural:
                for scene, reader in zip(scenes, readers):
                    try:
                        scene[name] = sections.read(reader, name, self.tasks.get(name))
                    except SectionError as error:
                        _lost(error, on_damage)
        latents = self.decode_latents(readers, neural, on_damage)
        for name in neural:
            if all(stream in latents for stream in self.model.graph.reads[name]) and name in latents:
                self._synthesise(readers, name, latents, scenes)
        return [{name: scene[name] for name in wanted if name in scene} for scene in scenes]

    def _check(self, header: Header, first: Header, wanted: list[str]) -> None:
        same = (header.height, header.width) == (first.height, first.width)
        alike = all(
            n in header.tasks and _section(header, n).neural == _section(first, n).neural for n in wanted
        )
        if not same or (header is not first and not alike):
            raise UsageError("files of a batch differ in size or tasks")
        for name in wanted:
            section = _section(header, name)
            if not section.neural:
                continue
            if header.fingerprint != self.info.fingerprint:
                raise WeightsNotFound(
                    f"made with weights {header.fingerprint}, "
                    f"not with {self.info.name!r} ({self.info.fingerprint})"
                )
            task = self.tasks.get(name)
            if task is None or task.scene_range(section.dtype) != (section.range is not None):
                raise FormatError(f"section {name} does not fit the weights")
            reads = self.model.graph.reads[name]
            if (SHARED in reads) != (SHARED in header.needs(name)):
                raise FormatError(f"section {name} and a shared one: the weights have not just one of them")
            if name not in reads and section.quality is not None:
                raise FormatError(f"section {name} has a quality, but the weights have no stream for it")

    @torch.inference_mode()
    def decode_latents(
        self, readers: Sequence[Reader], tasks: Sequence[str], on_damage: OnDamage | None = None
    ) -> dict[str, Decoded]:
        """Decoded latents by stream, the same on every machine.

        A damaged section drops its stream, for all files of a batch; a damaged shared one drops all.
        """
        result: dict[str, Decoded] = {}
        shared: Tensor | None = None
        if any(SHARED in self.model.graph.reads[name] for name in tasks):
            try:
                coded = self._decode_stream(readers, SHARED, None)
            except SectionError as error:
                for name in tasks:
                    lost = SectionError(f"{error} (needed by task {name})", name)
                    lost.__cause__ = error
                    _lost(lost, on_damage)
                return {}
            assert coded.rows is not None
            result[SHARED], shared = coded, StreamModel.canonical(coded.y_hat, coded.rows)
        for name in tasks:
            try:
                result[name] = self._decode_stream(readers, name, self.model.condition(name, shared))
            except SectionError as error:
                _lost(error, on_damage)
        return result

    def _decode_stream(self, readers: Sequence[Reader], name: str, condition: Tensor | None) -> Decoded:
        try:
            return self._decode_payloads(readers, name, condition)
        except SectionError:
            raise
        except FormatError as error:
            raise SectionError(f"section {name}: {error}", name) from error

    def _decode_payloads(self, readers: Sequence[Reader], name: str, condition: Tensor | None) -> Decoded:
        parsed = [self.unwrap(reader, name) for reader in readers]
        around, payloads = [own for own, _ in parsed], [base for _, base in parsed]
        if name not in self.model.graph.streams:
            if any(payloads):
                raise FormatError("not empty, but the weights have no stream for it")
            return Decoded(torch.empty(0), None, around)
        header = readers[0].header
        shape = (len(readers), _aligned(header.height) // 16, _aligned(header.width) // 16)
        step = torch.tensor([_quality(reader.header, name) for reader in readers], device=self.device)
        stream = self.model.stream(name)
        rows = stream.rows(stream.tables(), step)
        limits = iter((Z_LIMIT, SYMBOL_LIMIT, SYMBOL_LIMIT))
        coders = [Decoder(self.tables, payload) for payload in payloads]

        def take(request: Step) -> Tensor:
            mask = request.mask.cpu().numpy()
            index = request.index.cpu().numpy()
            values = np.zeros(index.shape, np.float32)
            limit = next(limits)
            for i, coder in enumerate(coders):
                values[i][mask] = coder.take(index[i][mask].astype(np.uint8), limit)
            return torch.from_numpy(values).to(self.device)

        y_hat = stream.decode(rows, shape, condition, take)
        for coder in coders:
            coder.finish()
        return Decoded(y_hat, rows, around)

    def unwrap(self, reader: Reader, name: str) -> tuple[Layers, bytes]:
        """Layers of the neural section ``name``, and its base stream.

        Raises:
            FormatError: the section is damaged.
        """
        header, payload = reader.header, reader.payload(name)
        section = header.section(name)
        assert section is not None
        if section.coding == "neural":
            return Layers(), payload
        return layers.parse(payload, header.height, header.width, self.tasks[name].channels, section)

    @torch.inference_mode()
    def _synthesise(
        self, readers: Sequence[Reader], name: str, latents: dict[str, Decoded], scenes: list[Scene]
    ) -> None:
        decoded = {}
        for stream in self.model.graph.reads[name]:
            coded = latents[stream]
            assert coded.rows is not None
            decoded[stream] = StreamModel.latent(coded.y_hat, coded.rows)
        present = readers[0].header.tasks
        columns = [SHARED, *(n if n in present else SHARED for n in self.tasks)]
        steps = [[_quality(reader.header, column) for column in columns] for reader in readers]
        planes = self.model.synthesise(name, decoded, torch.tensor(steps, device=self.device))
        images = planes.float().cpu().numpy()
        for scene, reader, image, own in zip(scenes, readers, images, latents[name].layers):
            cropped = image[:, : reader.header.height, : reader.header.width]
            scene[name] = layers.restore(self.tasks[name], cropped, _section(reader.header, name), own)


def _reader(source: bytes | BinaryIO | Reader, max_pixels: int = container.MAX_PIXELS) -> Reader:
    if isinstance(source, Reader):
        return source
    return Reader(io.BytesIO(source) if isinstance(source, bytes) else source, max_pixels)


def _aligned(size: int) -> int:
    return -(-size // ALIGNMENT) * ALIGNMENT


def _section(header: Header, name: str) -> Section:
    header.needs(name)  # raises UsageError for a task that the file lacks
    section = header.section(name)
    assert section is not None
    return section


def _quality(header: Header, name: str) -> int:
    """Quality step of a stream; the file's where it has none of its own."""
    section = header.section(name)
    return header.quality if section is None or section.quality is None else section.quality


def _lossless(name: str) -> bool:
    return name in registry.names() and registry.get(name).lossless


def _lost(error: SectionError, on_damage: OnDamage | None) -> None:
    if on_damage is None:
        raise error
    on_damage(error)


def load(name: str | Path, device: str = "auto") -> Codec:
    """The codec of installed weights (``"clevr"``) or of a weights file's path.

    Args:
        device: ``cpu``, ``cuda``, or ``auto``: CUDA where there is one.

    Raises:
        WeightsNotFound, WeightsInvalid: see :mod:`mtcodec.weights.store`.
    """
    path = weights.find(str(name))
    model, tables = weights.load(path)
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    elif device == "cuda" and not torch.cuda.is_available():
        raise UsageError("no CUDA device is available")
    return Codec(model, tables, weights.describe(path), device)
