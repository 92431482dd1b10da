"""Networks run by onnxruntime, on the CPU.

A network's graph is made when it is first needed: for decoding one task, those of two streams and of one
synthesis. Every session works in the thread that calls it, so that no thread ever spins or waits for
another.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property, partial
from typing import Any

import numpy as np
import numpy.typing as npt

from mtcodec import threads
from mtcodec.networks.engine import Levels, Networks
from mtcodec.networks.entropy.gain_vectors import TABLE_LIMITS, GainVectors, gain_vectors_at
from mtcodec.networks.entropy.stream import Stream
from mtcodec.networks.onnx.arrays import Arrays
from mtcodec.networks.onnx.graph import Graph
from mtcodec.networks.onnx.runtime import ort
from mtcodec.networks.onnx.strips import Strip, assemble, strips
from mtcodec.networks.structure import LATENT_SIDE, Latents, aligned, inputs, key
from mtcodec.networks.weights.file import Weights
from mtcodec.signals.signal import Signal

Array = np.ndarray[Any, Any]
HYPER_SIDE = 4  # latents that a hyper-latent stands for, in each direction
HYPER_HALO = 4  # latents: what depends on hyper-latents sees one of them beyond its own
CONTEXT_HALO = 1  # latents: the depthwise 3×3 layer of a context network
Run = Callable[..., list[Array]]
"""A graph that is ready to run: its inputs in order → its outputs."""


def session(graph: Graph, options: ort.SessionOptions) -> Run:
    """Make ``graph`` ready to run."""
    inference = ort.InferenceSession(graph.to_bytes(), options, providers=["CPUExecutionProvider"])
    names = [value.name for value in inference.get_inputs()]
    return lambda *arrays: inference.run(None, dict(zip(names, arrays)))


def session_options() -> ort.SessionOptions:
    """One thread, and no messages but errors."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.enable_cpu_mem_arena = options.enable_mem_pattern = False  # what is free is given back
    options.log_severity_level = 3
    return options


class StreamSessions(Arrays):
    """The networks of one stream; see :class:`mtcodec.networks.entropy.passes.StreamNetworks`."""

    def __init__(
        self, structure: Stream, tensors: Mapping[str, Array], prefix: str, options: ort.SessionOptions
    ) -> None:
        self.structure, self.tensors, self.prefix, self.options = structure, tensors, prefix, options
        self._following: dict[int, Run] = {}

    @cached_property
    def tables(self) -> dict[str, Array]:
        """Tables of gain vectors, (ANCHORS, C)."""
        return {name: self.tensors[f"{self.prefix}.{name}"].astype(np.float32) for name in TABLE_LIMITS}

    def gain_vectors(self, levels: Array) -> GainVectors:
        """Gain vectors at quality levels (B,)."""
        return gain_vectors_at(self, self.tables, levels)

    # --- graphs ------------------------------------------------------------------------------------

    def graph(self) -> Graph:
        return Graph(self.structure.layers, self.tensors, self.prefix)

    @staticmethod
    def gain_inputs(graph: Graph, channels: Mapping[str, int]) -> GainVectors:
        """Inputs of a graph for those gain vectors that it reads, of so many channels; None for others."""
        values: dict[str, Any] = {name: graph.input(name, count) for name, count in channels.items()}
        return GainVectors(**{name: values.get(name) for name in TABLE_LIMITS})

    @cached_property
    def _hyper_analysis(self) -> Run:
        graph = self.graph()
        graph.output(self.structure.hyper_analysis(graph, graph.input("y", self.structure.channels)), "z")
        return session(graph, self.options)

    @cached_property
    def _first(self) -> Run:
        stream, graph = self.structure, self.graph()
        z_hat = graph.input("z_hat", stream.hyper)
        condition = graph.input("condition", stream.conditions) if stream.conditions else None
        channels = {"gain": stream.channels, "offset": stream.channels, "bias": stream.width}
        gains = self.gain_inputs(graph, channels)
        outputs = stream.first(graph, z_hat, gains, condition)
        for value, name in zip(outputs, ("features", "mean", "table_indexes")):
            graph.output(value, name)
        return session(graph, self.options)

    def _following_of(self, k: int) -> Run:
        if k not in self._following:
            stream, graph = self.structure, self.graph()
            features, y_hat = graph.input("features", stream.width), graph.input("y_hat", stream.channels)
            gains = self.gain_inputs(graph, {"gain": stream.channels, "offset": stream.channels})
            outputs = stream.following(graph, k, features, y_hat, gains)
            for value, name in zip(outputs, ("mean", "table_indexes")):
                graph.output(value, name)
            self._following[k] = session(graph, self.options)
        return self._following[k]

    # --- what they compute -------------------------------------------------------------------------

    def hyper_analysis(self, y: Array) -> Array:
        return self._hyper_analysis(y)[0]

    def first(self, z_hat: Array, gains: GainVectors, condition: Array | None) -> tuple[Array, ...]:
        batch, _, height, width = z_hat.shape
        height, width = height * HYPER_SIDE, width * HYPER_SIDE
        channels = self.structure.width, self.structure.channels, self.structure.channels
        make = partial(self._first_of_strip, z_hat, gains, condition)
        return assemble((batch, channels, height, width), strips(height, width, HYPER_HALO, HYPER_SIDE), make)

    def _first_of_strip(
        self, z_hat: Array, gains: GainVectors, condition: Array | None, strip: Strip
    ) -> list[Array]:
        arrays = [z_hat[:, :, strip.outer.start // HYPER_SIDE : strip.outer.stop // HYPER_SIDE]]
        if condition is not None:
            arrays.append(condition[:, :, strip.outer])
        return self._first(*arrays, gains.gain, gains.offset, gains.bias)

    def following(self, k: int, features: Array, y_hat: Array, gains: GainVectors) -> tuple[Array, ...]:
        batch, channels, height, width = y_hat.shape
        make = partial(self._following_of_strip, self._following_of(k), features, y_hat, gains)
        return assemble(
            (batch, (channels, channels), height, width), strips(height, width, CONTEXT_HALO), make
        )

    @staticmethod
    def _following_of_strip(
        run: Run, features: Array, y_hat: Array, gains: GainVectors, strip: Strip
    ) -> list[Array]:
        return run(features[:, :, strip.outer], y_hat[:, :, strip.outer], gains.gain, gains.offset)


class Sessions(Networks):
    """Networks of a weights file by onnxruntime."""

    def __init__(self, weights: Weights, options: Callable[[], ort.SessionOptions] = session_options) -> None:
        super().__init__(weights.config, weights.tables, weights.info)
        self.tensors, self.options = weights.tensors, options()
        self.arithmetic = Arrays()
        self.streams = {
            name: StreamSessions(stream, self.tensors, f"streams.{name}", self.options)
            for name, stream in self.structure.streams.items()
        }
        self.transforms: dict[str, Run] = {}

    def stream_networks(self, stream: str) -> StreamSessions:
        return self.streams[stream]

    def to_numpy(self, maps: Array) -> Array:
        return maps

    def from_numpy(self, array: Array) -> Array:
        return array

    # --- analysis ----------------------------------------------------------------------------------

    def analyse(self, signals: Mapping[str, Signal], levels: Levels) -> dict[str, Array]:
        """See :meth:`mtcodec.networks.engine.Networks.analyse`; images are padded to what networks need."""
        signal, level_array = next(iter(signals.values())), self.level_array([levels])
        height, width = aligned(signal.height) // LATENT_SIDE, aligned(signal.width) // LATENT_SIDE
        y: dict[str, Array] = {}
        for tasks, streams in self.graph.analyses:
            presence = np.array([[np.float32(name in signals) for name in tasks]])
            qualities = self.structure.qualities(self.arithmetic, streams, level_array)
            vector = _vector(np.concatenate([presence, qualities], axis=1))
            ends = np.cumsum([self.config.channels(name) for name in streams])
            halo = self.structure.analyses[key(tasks)].halo
            make = partial(self._latents_of_strip, signals, tasks, vector, width)
            (latents,) = assemble((1, [int(ends[-1])], height, width), strips(height, width, halo), make)
            y |= zip(streams, np.split(latents, ends[:-1], axis=1))
        return y

    def _latents_of_strip(
        self, signals: Mapping[str, Signal], tasks: tuple[str, ...], vector: Array, width: int, strip: Strip
    ) -> list[Array]:
        """Latents of all streams of the analysis of ``tasks``, for images of ``width`` latents."""
        planes = {name: self._planes(signals.get(name), name, strip.outer, width) for name in tasks}
        present = {name: np.float32(name in signals) for name in tasks}
        return self.transform(f"g_a.{key(tasks)}")(inputs(self.arithmetic, planes, present, tasks), vector)

    def _planes(self, signal: Signal | None, task: str, rows: slice, width: int) -> Array:
        """Planes of some rows of latents, (1, C, 16 · rows, 16 · width); beyond the image, its border."""
        height, width = (rows.stop - rows.start) * LATENT_SIDE, width * LATENT_SIDE
        if signal is None:
            return np.zeros((1, self.tasks[task].channels, height, width), np.float32)
        last = signal.height - 1
        start, stop = min(rows.start * LATENT_SIDE, last), min(rows.stop * LATENT_SIDE, last + 1)
        padding = (0, 0), (0, height - (stop - start)), (0, width - signal.width)
        return np.pad(signal.rows(slice(start, stop)), padding, mode="edge")[None]

    # --- synthesis ---------------------------------------------------------------------------------

    def synthesise(
        self, task: str, latents: Latents, levels: Sequence[Levels], size: tuple[int, int]
    ) -> npt.NDArray[np.float32]:
        streams = self.graph.reads[task]
        y_hat = self.arithmetic.cat([latents.floats(name) for name in streams])
        qualities = self.structure.qualities(self.arithmetic, streams, self.level_array(levels))
        vector, run = _vector(qualities), self.transform(f"g_s.{task}")
        batch, _, height, width = y_hat.shape
        parts = strips(height, width, self.structure.syntheses[task].halo)
        if len(parts) == 1:
            return run(y_hat.astype(np.float32), vector)[0][:, :, : size[0], : size[1]]
        planes = np.empty((batch, self.tasks[task].channels, *size), np.float32)

        def paint(strip: Strip) -> None:
            (part,) = run(y_hat[:, :, strip.outer].astype(np.float32), vector)
            start, stop = strip.inner.start * LATENT_SIDE, min(strip.inner.stop * LATENT_SIDE, size[0])
            first = start - strip.outer.start * LATENT_SIDE
            planes[:, :, start:stop] = part[:, :, first : first + stop - start, : size[1]]

        threads.parallel_map(paint, parts)
        return planes

    # --- transforms --------------------------------------------------------------------------------

    def transform(self, name: str) -> Run:
        """The transform called ``name``, ``g_a.<key>`` or ``g_s.<task>``, ready to run."""
        if name not in self.transforms:
            group, _, part = name.partition(".")
            graph = self._analysis_graph(part) if group == "g_a" else self._synthesis_graph(part)
            self.transforms[name] = session(graph, self.options)
        return self.transforms[name]

    def _analysis_graph(self, name: str) -> Graph:
        structure = self.structure.analyses[name]
        tasks, streams = next(pair for pair in self.graph.analyses if key(pair[0]) == name)
        graph = Graph(structure.layers, self.tensors, f"g_a.{name}")
        x = graph.input("x", sum(self.tasks[task].channels for task in tasks))
        vector = graph.input("vector", len(tasks) + len(streams))
        graph.output(structure(graph, x, vector), "result")
        return graph

    def _synthesis_graph(self, task: str) -> Graph:
        structure, streams = self.structure.syntheses[task], self.graph.reads[task]
        graph = Graph(structure.layers, self.tensors, f"g_s.{task}")
        x = graph.input("x", sum(self.config.channels(name) for name in streams))
        vector = graph.input("vector", len(streams))
        graph.output(structure(graph, x, vector) + 0.5, "result")
        return graph


def _vector(values: Array) -> Array:
    """(B, n) as the transforms take it, (B, n, 1, 1)."""
    return values.astype(np.float32)[:, :, None, None]
