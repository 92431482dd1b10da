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

from mtcodec.networks.backbones.backbone import Names
from mtcodec.networks.engine import Levels, Networks
from mtcodec.networks.entropy import order
from mtcodec.networks.entropy.gain_vectors import TABLE_LIMITS, GainVectors, gain_vectors_at
from mtcodec.networks.entropy.stream import Stream
from mtcodec.networks.onnx.arrays import Arrays
from mtcodec.networks.onnx.graph import Graph
from mtcodec.networks.onnx.runtime import ort
from mtcodec.networks.onnx.strips import assemble, strips
from mtcodec.networks.structure import LATENT_SIDE, Latents, aligned, key
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
    """The networks of one stream; see :class:`mtcodec.networks.entropy.passes.StreamNetworks`.

    Attributes:
        tables: of gain vectors, (ANCHORS, C).
    """

    def __init__(
        self, structure: Stream, tensors: Mapping[str, Array], prefix: str, options: ort.SessionOptions
    ) -> None:
        self.structure, self.tensors, self.prefix, self.options = structure, tensors, prefix, options
        self.tables = {name: tensors[f"{prefix}.{name}"].astype(np.float32) for name in TABLE_LIMITS}

    def gain_vectors(self, levels: Array) -> GainVectors:
        return gain_vectors_at(self, self.tables, levels)

    def hyper_analysis(self, y: Array) -> Array:
        return self._hyper_analysis(y)[0]

    def first(self, z_hat: Array, gains: GainVectors, condition: Array | None) -> Sequence[Array]:
        batch, _, height, width = z_hat.shape
        height, width = height * HYPER_SIDE, width * HYPER_SIDE

        def make(rows: slice) -> list[Array]:
            hyper_rows = slice(rows.start // HYPER_SIDE, rows.stop // HYPER_SIDE)
            conditions = [] if condition is None else [condition[:, :, rows]]
            return self._first(z_hat[:, :, hyper_rows], *conditions, gains.gain, gains.offset, gains.bias)

        channels = self.structure.width, self.structure.channels, self.structure.channels
        return assemble(make, strips(height, width, HYPER_HALO, HYPER_SIDE), (batch, channels, height, width))

    def following(self, k: int, features: Array, y_hat: Array, gains: GainVectors) -> Sequence[Array]:
        (batch, channels, height, width), run = y_hat.shape, self._following[k - 1]

        def make(rows: slice) -> list[Array]:
            return run(features[:, :, rows], y_hat[:, :, rows], gains.gain, gains.offset)

        parts = strips(height, width, CONTEXT_HALO)
        return assemble(make, parts, (batch, (channels, channels), height, width))

    # --- graphs ------------------------------------------------------------------------------------

    @cached_property
    def _hyper_analysis(self) -> Run:
        graph = self._graph()
        graph.output(self.structure.hyper_analysis(graph, graph.input("y", self.structure.channels)))
        return session(graph, self.options)

    @cached_property
    def _first(self) -> Run:
        stream, graph = self.structure, self._graph()
        z_hat = graph.input("z_hat", stream.hyper)
        condition = graph.input("condition", stream.conditions) if stream.conditions else None
        gains = self._gain_inputs(graph)
        gains.bias = graph.input("bias", stream.width)
        graph.output(*stream.first(graph, z_hat, gains, condition))
        return session(graph, self.options)

    @cached_property
    def _following(self) -> list[Run]:
        """By coding pass, from pass 1 on."""
        return [self._following_session(k) for k in range(1, order.PASSES)]

    def _following_session(self, k: int) -> Run:
        stream, graph = self.structure, self._graph()
        features, y_hat = graph.input("features", stream.width), graph.input("y_hat", stream.channels)
        graph.output(*stream.following(graph, k, features, y_hat, self._gain_inputs(graph)))
        return session(graph, self.options)

    def _graph(self) -> Graph:
        return Graph(self.structure.layers, self.tensors, self.prefix)

    def _gain_inputs(self, graph: Graph) -> GainVectors:
        """Inputs for those gain vectors that all graphs of decoded latents read."""
        gain, offset = (graph.input(name, self.structure.channels) for name in ("gain", "offset"))
        return GainVectors(gain, offset, bias=None, z_index=None)


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
        y: dict[str, Array] = {}
        for tasks, streams in self.graph.analyses:
            ends = np.cumsum([self.config.channels(name) for name in streams])
            latents = self._latents(signals, levels, tasks)
            y |= zip(streams, np.split(latents, ends[:-1], axis=1))
        return y

    def _latents(self, signals: Mapping[str, Signal], levels: Levels, tasks: Names) -> Array:
        """What the analysis of ``tasks`` makes: the latents of its streams, one after the other."""
        signal, run = next(iter(signals.values())), self.transform(f"g_a.{key(tasks)}")
        height, width = aligned(signal.height) // LATENT_SIDE, aligned(signal.width) // LATENT_SIDE
        present = np.array([[name in signals for name in self.tasks]], np.float32)
        level_array = self.level_array([levels])

        def make(rows: slice) -> list[Array]:
            planes = {name: self._planes(signals.get(name), name, rows, width) for name in tasks}
            x, vector = self.structure.analysis_inputs(self.arithmetic, tasks, planes, present, level_array)
            return run(x, vector.astype(np.float32))

        channels = self.config.channels(*dict(self.graph.analyses)[tasks])
        parts = strips(height, width, self.structure.analyses[key(tasks)].halo)
        return assemble(make, parts, (1, [channels], height, width))[0]

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
        run, floats = self.transform(f"g_s.{task}"), {n: latents.floats(n) for n in self.graph.reads[task]}
        level_array = self.level_array(levels)
        y_hat, vector = self.structure.synthesis_inputs(self.arithmetic, task, floats, level_array)
        batch, _, height, width = y_hat.shape
        parts = strips(height, width, self.structure.syntheses[task].halo)
        shape = batch, [self.tasks[task].channels], *size

        def make(rows: slice) -> list[Array]:
            return run(y_hat[:, :, rows].astype(np.float32), vector.astype(np.float32))

        return assemble(make, parts, shape, LATENT_SIDE)[0]

    # --- transforms --------------------------------------------------------------------------------

    def transform(self, name: str) -> Run:
        """The transform called ``name``, ``g_a.<key>`` or ``g_s.<task>``, ready to run."""
        if name not in self.transforms:
            self.transforms[name] = session(self._transform_graph(*name.split(".", 1)), self.options)
        return self.transforms[name]

    def _transform_graph(self, group: str, part: str) -> Graph:
        if group == "g_a":
            transform = self.structure.analyses[part]
            tasks, streams = next(pair for pair in self.graph.analyses if key(pair[0]) == part)
            channels = sum(self.tasks[task].channels for task in tasks), len(tasks) + len(streams)
        else:
            transform, streams = self.structure.syntheses[part], self.graph.reads[part]
            channels = self.config.channels(*streams), len(streams)
        graph = Graph(transform.layers, self.tensors, f"{group}.{part}")
        result = transform(graph, graph.input("x", channels[0]), graph.input("vector", channels[1]))
        graph.output(result if group == "g_a" else result + 0.5)
        return graph
