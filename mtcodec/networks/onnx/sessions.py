"""Networks run by onnxruntime, on the CPU.

A network's graph is made when it is first needed: for decoding one task, those of two streams and of one
synthesis. Every session works in the thread that calls it, so that no thread ever spins or waits for
another.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from mtcodec import threads
from mtcodec.networks.engine import Networks, Put, Take
from mtcodec.networks.entropy import gain_vectors as by_quality
from mtcodec.networks.entropy import walk
from mtcodec.networks.entropy.gain_vectors import TABLE_LIMITS, Rows
from mtcodec.networks.entropy.stream import Stream
from mtcodec.networks.entropy.walk import Step
from mtcodec.networks.onnx.arrays import Arrays
from mtcodec.networks.onnx.graph import Graph
from mtcodec.networks.onnx.runtime import ort
from mtcodec.networks.onnx.strips import Strip, assemble, strips
from mtcodec.networks.structure import LATENT, Latents, aligned, inputs, key
from mtcodec.networks.weights.file import Weights
from mtcodec.signals.signal import Signal

Array = np.ndarray[Any, Any]
HYPER = 4  # latents' places along the side of a hyper-latent's
Names = tuple[str, ...]
Run = Callable[..., list[Array]]
"""A graph that is ready to run: its inputs in order → its outputs."""


def session(graph: Graph, options: ort.SessionOptions) -> Run:
    """Make ``graph`` ready to run."""
    made = ort.InferenceSession(graph.to_bytes(), options, providers=["CPUExecutionProvider"])
    names = [value.name for value in made.get_inputs()]
    return lambda *arrays: made.run(None, dict(zip(names, arrays)))


def settings() -> ort.SessionOptions:
    """One thread, and no messages but errors."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.enable_cpu_mem_arena = options.enable_mem_pattern = False  # what is free is given back
    options.log_severity_level = 3
    return options


class StreamSessions(Arrays):
    """The networks of one stream; see :class:`mtcodec.networks.entropy.walk.StreamNetworks`."""

    def __init__(
        self, structure: Stream, tensors: Mapping[str, Array], prefix: str, options: ort.SessionOptions
    ) -> None:
        self.structure, self.tensors, self.prefix, self.options = structure, tensors, prefix, options
        self.tables = {name: tensors[f"{prefix}.{name}"].astype(np.float32) for name in TABLE_LIMITS}
        self.runs: dict[int, Run] = {}

    def rows(self, step: Array) -> Rows:
        """Rows of the tables at quality steps (B,)."""
        return by_quality.rows_at(self, self.tables, step)

    def graph(self) -> Graph:
        return Graph(self.structure.layers, self.tensors, self.prefix)

    @staticmethod
    def row_inputs(graph: Graph, channels: Mapping[str, int]) -> Rows:
        made: dict[str, Any] = {name: graph.input(name, count) for name, count in channels.items()}
        return Rows(**{name: made.get(name) for name in TABLE_LIMITS})

    @cached_property
    def hyper_analysis(self) -> Run:
        """y → z."""
        graph = self.graph()
        graph.output(self.structure.hyper_analysis(graph, graph.input("y", self.structure.channels)), "z")
        return session(graph, self.options)

    @cached_property
    def _first(self) -> Run:
        own, graph = self.structure, self.graph()
        z_hat = graph.input("z_hat", own.hyper)
        condition = graph.input("condition", own.conditions) if own.conditions else None
        rows = self.row_inputs(graph, {"gain": own.channels, "offset": own.channels, "bias": own.width})
        for value, name in zip(own.first(graph, z_hat, rows, condition), ("features", "mu", "index")):
            graph.output(value, name)
        return session(graph, self.options)

    def first(self, z_hat: Array, rows: Rows, condition: Array | None) -> tuple[Array, ...]:
        own, (batch, _, height, width) = self.structure, z_hat.shape

        def make(strip: Strip) -> list[Array]:
            above = slice(strip.outer.start // HYPER, strip.outer.stop // HYPER)
            given = (
                [z_hat[:, :, above]]
                if condition is None
                else [z_hat[:, :, above], condition[:, :, strip.outer]]
            )
            return self._first(*given, rows.gain, rows.offset, rows.bias)

        cut = strips(height * HYPER, width * HYPER, HYPER, HYPER)
        return assemble(
            (batch, (own.width, own.channels, own.channels), height * HYPER, width * HYPER), cut, make
        )

    def following(self, step: int, features: Array, y_hat: Array, rows: Rows) -> tuple[Array, ...]:
        if step not in self.runs:
            own, graph = self.structure, self.graph()
            given = graph.input("features", own.width), graph.input("y_hat", own.channels)
            inside = self.row_inputs(graph, {"gain": own.channels, "offset": own.channels})
            for value, name in zip(own.following(graph, step, *given, inside), ("mu", "index")):
                graph.output(value, name)
            self.runs[step] = session(graph, self.options)
        batch, channels, height, width = y_hat.shape

        def make(strip: Strip) -> list[Array]:
            given = features[:, :, strip.outer], y_hat[:, :, strip.outer]
            return self.runs[step](*given, rows.gain, rows.offset)

        return assemble((batch, (channels, channels), height, width), strips(height, width, 1), make)


class Sessions(Networks):
    """Networks of a weights file by onnxruntime."""

    def __init__(self, weights: Weights, options: Callable[[], ort.SessionOptions] = settings) -> None:
        super().__init__(weights.config, weights.tables, weights.info)
        self.tensors, self.options = weights.tensors, options()
        self.arithmetic = Arrays()
        self.streams = {
            name: StreamSessions(own, self.tensors, f"streams.{name}", self.options)
            for name, own in self.structure.streams.items()
        }
        self.transforms: dict[str, Run] = {}

    def encode(self, signals: Mapping[str, Signal], steps: Mapping[str, int], put: Put) -> Latents:
        columns = self.columns([steps])
        y = self._analyse(signals, columns)

        def code(name: str, rows: Rows, condition: Array | None) -> Array:
            def give(step: Step, symbols: Array) -> None:
                values, index = symbols[0][step.mask], step.index[0][step.mask]
                put(name, values.astype(np.int32), index.astype(np.uint8))

            own = self.streams[name]
            (z,) = own.hyper_analysis(y[name])
            result: Array = walk.encode(own, y[name], z, rows, condition, give)
            return result

        return self._walk(columns, code, self.streams_of(signals), Latents())

    def decode(
        self,
        name: str,
        size: tuple[int, int],
        steps: Sequence[Mapping[str, int]],
        take: Take,
        latents: Latents,
    ) -> None:
        shape = (len(steps), aligned(size[0]) // LATENT, aligned(size[1]) // LATENT)

        def give(step: Step) -> Array:
            values, places = np.zeros(step.index.shape, np.float32), np.flatnonzero(step.mask)
            for i in range(len(steps)):
                index = step.index[i].reshape(-1)[places].astype(np.uint8)
                values[i].reshape(-1)[places] = take(i, index, step.limit)
            return values

        def code(name: str, rows: Rows, condition: Array | None) -> Array:
            result: Array = walk.decode(self.streams[name], rows, shape, condition, give)
            return result

        self._walk(self.columns(steps), code, [name], latents)

    def synthesise(
        self, task: str, latents: Latents, steps: Sequence[Mapping[str, int]], size: tuple[int, int]
    ) -> npt.NDArray[np.float32]:
        reads, own = self.graph.reads[task], self.structure.syntheses[task]
        y_hat = self.arithmetic.cat([latents.floats(name) for name in reads])
        vector = self._vector(self.structure.qualities(self.arithmetic, reads, self.columns(steps)))
        run, (batch, _, height, width) = self.transform(f"g_s.{task}"), y_hat.shape
        cut = strips(height, width, own.halo)
        if len(cut) == 1:
            return run(y_hat.astype(np.float32), vector)[0][:, :, : size[0], : size[1]]
        planes = np.empty((batch, self.tasks[task].channels, *size), np.float32)

        def paint(strip: Strip) -> None:
            (part,) = run(y_hat[:, :, strip.outer].astype(np.float32), vector)
            rows = strip.inner.start * LATENT, min(strip.inner.stop * LATENT, size[0])
            first = rows[0] - strip.outer.start * LATENT
            planes[:, :, slice(*rows)] = part[:, :, first : first + rows[1] - rows[0], : size[1]]

        threads.parallel_map(paint, cut)
        return planes

    # ---------------------------------------------------------------------------------------------------

    def _walk(self, columns: Array, code: Any, names: Sequence[str], latents: Latents) -> Latents:
        def rows(name: str) -> Rows:
            return self.streams[name].rows(columns[:, self.structure.column(name)])

        return self.structure.walk(self.arithmetic, rows, code, names, latents)

    def _analyse(self, signals: Mapping[str, Signal], columns: Array) -> dict[str, Array]:
        """Latents by stream, (1, N, H/16, W/16), of images that are padded to the networks' alignment."""
        some = next(iter(signals.values()))
        height, width = aligned(some.height) // LATENT, aligned(some.width) // LATENT
        here = {name: np.float32(name in signals) for name in self.tasks}
        result: dict[str, Array] = {}
        for read, made in self.graph.analyses:
            presence = np.array([[here[name] for name in read]])
            vector = np.concatenate(
                [presence, self.structure.qualities(self.arithmetic, made, columns)], axis=1
            )
            ends = np.cumsum([self.config.channels(name) for name in made])
            run, own = self.transform(f"g_a.{key(read)}"), self.structure.analyses[key(read)]

            def look(strip: Strip, run: Run = run, read: Names = read, v: Array = vector) -> list[Array]:
                given = {name: self._rows(signals.get(name), name, strip.outer, width) for name in read}
                return run(inputs(self.arithmetic, given, here, read), self._vector(v))

            (y,) = assemble((1, [int(ends[-1])], height, width), strips(height, width, own.halo), look)
            result |= zip(made, np.split(y, ends[:-1], axis=1))
        return result

    def _rows(self, signal: Signal | None, task: str, rows: slice, width: int) -> Array:
        """Planes of rows of latents' places, (1, C, 16 · rows, 16 · width); beyond the image, its border."""
        if signal is None:
            shape = (1, self.tasks[task].channels, (rows.stop - rows.start) * LATENT, width * LATENT)
            return np.zeros(shape, np.float32)
        last = signal.height - 1
        start, stop = min(rows.start * LATENT, last), min(rows.stop * LATENT, last + 1)
        padding = (0, (rows.stop - rows.start) * LATENT - (stop - start)), (0, width * LATENT - signal.width)
        return np.pad(signal.rows(slice(start, stop)), ((0, 0), *padding), mode="edge")[None]

    @staticmethod
    def _vector(values: Array) -> Array:
        return values.astype(np.float32)[:, :, None, None]

    def transform(self, name: str) -> Run:
        """The transform called ``name``, ready to run."""
        if name not in self.transforms:
            group, _, own = name.partition(".")
            analysis = group == "g_a"
            structure = (self.structure.analyses if analysis else self.structure.syntheses)[own]
            graph = Graph(structure.layers, self.tensors, name)
            if analysis:
                read, made = next(pair for pair in self.graph.analyses if key(pair[0]) == own)
                channels, vector = sum(self.tasks[n].channels for n in read), len(read) + len(made)
            else:
                reads = self.graph.reads[own]
                channels, vector = sum(self.config.channels(n) for n in reads), len(reads)
            result = structure(graph, graph.input("x", channels), graph.input("vector", vector))
            graph.output(result if analysis else result + 0.5, "result")
            self.transforms[name] = session(graph, self.options)
        return self.transforms[name]
