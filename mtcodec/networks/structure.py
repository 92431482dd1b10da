"""A multi-task codec's networks: analysis, an entropy model per stream, a synthesis per task.

The graph of the ``conditional`` architecture::

      x_1 … x_T ──► g_a ──┬─► y_shared ─► Stream ─► ŷ_shared ────┬──────────────┐
                          ├─► y_1 ──────► Stream( · | ŷ_shared) ─► ŷ_1 ─► g_s,1([ŷ_shared, ŷ_1])
                          └─► y_T ──────► Stream( · | ŷ_shared) ─► ŷ_T ─► g_s,T([ŷ_shared, ŷ_T])

``shared`` lacks the conditioning, ``disjoint`` lacks y_shared, ``mixed`` has nothing else, and ``single`` is
``disjoint`` with an analysis for each task (:class:`mtcodec.networks.config.StreamGraph`). After "Multi-Modal
Multi-Task Data Compression" (Alvandian, Bachmann), where one hyper-latent serves all streams; here each
stream has its own, so that a stored subset of them needs nothing of the others. Imports no torch.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from mtcodec.networks.backbones import BACKBONES
from mtcodec.networks.backbones.backbone import Names, Transform
from mtcodec.networks.config import SHARED, ModelConfig
from mtcodec.networks.entropy.gain_vectors import GainVectors
from mtcodec.networks.entropy.passes import StreamNetworks, StreamPasses
from mtcodec.networks.entropy.stream import Stream, canonical, latent
from mtcodec.networks.layers import Arithmetic, Layers, Maps, prefixed
from mtcodec.quality import MAX_NETWORK_LEVEL

ALIGNMENT = 64  # images are padded to multiples of this: hyper-latents are at 1/64
LATENT_SIDE = 16  # pixels that a latent stands for, in each direction


def aligned(size: int) -> int:
    """Height or width with the padding that networks need."""
    return -(-size // ALIGNMENT) * ALIGNMENT


@dataclass
class Latents:
    """Decoded streams of a batch of files.

    Attributes:
        y_hat: by stream, integers in units of 1/16 symbol, (B, N, H/16, W/16).
        gains: by stream, its gain vectors.
    """

    y_hat: dict[str, Maps] = field(default_factory=dict)
    gains: dict[str, GainVectors] = field(default_factory=dict)
    _condition: Maps = field(default=None, repr=False, compare=False)

    def add(self, stream: str, passes: StreamPasses) -> None:
        """Take in a stream, all of whose passes are coded."""
        self.y_hat[stream], self.gains[stream] = passes.y_hat, passes.gains

    def condition(self, net: Arithmetic) -> Maps:
        """The canonical latent of the shared stream, which must be there; computed once."""
        if self._condition is None:
            self._condition = canonical(net, self.y_hat[SHARED], self.gains[SHARED])
        return self._condition

    def floats(self, stream: str) -> Maps:
        """The latent of a stream as synthesis reads it."""
        return latent(self.y_hat[stream], self.gains[stream])

    def part(self, rows: slice, columns: slice) -> Latents:
        """Those of some rows and columns."""
        return Latents({name: y_hat[:, :, rows, columns] for name, y_hat in self.y_hat.items()}, self.gains)


@dataclass(frozen=True)
class Structure:
    """Which networks there are, what they are called, and who reads what.

    Names of parameters are ``g_a.<key>.…``, ``g_s.<task>.…`` and ``streams.<stream>.…``.
    Quality levels come as (B, 1 + T): the scene's, which is that of the shared stream, then by task.
    """

    config: ModelConfig

    @cached_property
    def analyses(self) -> dict[str, Transform]:
        """By :func:`key`, in the order of the graph's."""
        config, analysis = self.config, BACKBONES[self.config.backbone].analysis
        return {key(tasks): analysis(config, tasks, streams) for tasks, streams in config.graph.analyses}

    @cached_property
    def syntheses(self) -> dict[str, Transform]:
        """By task."""
        synthesis = BACKBONES[self.config.backbone].synthesis
        return {name: synthesis(self.config, name) for name in self.config.task_names}

    @cached_property
    def streams(self) -> dict[str, Stream]:
        """Entropy models by stream, in the order of coding."""
        config = self.config
        conditions = {n: config.shared_latents * self.conditioned(n) for n in config.graph.streams}
        return {
            name: Stream(config.channels(name), config.hyper, config.entropy_width, count)
            for name, count in conditions.items()
        }

    @property
    def layers(self) -> Layers:
        """All layers by their whole names."""
        layers: Layers = {}
        for group, networks in (("g_a", self.analyses), ("g_s", self.syntheses), ("streams", self.streams)):
            for name, network in networks.items():
                layers |= prefixed(f"{group}.{name}", network.layers)
        return layers

    def conditioned(self, stream: str) -> bool:
        """Is a stream coded given the shared one?"""
        return self.config.graph.conditioned and stream != SHARED

    def level_column(self, stream: str) -> int:
        """Column of the quality levels that is a stream's."""
        return 0 if stream == SHARED else 1 + self.config.task_names.index(stream)

    def qualities(self, net: Arithmetic, streams: Iterable[str], levels: Maps) -> Maps:
        """Qualities of ``streams`` as the transforms see them, −0.5 to 0.5, (B, streams)."""
        columns = (self.level_column(name) for name in streams)
        return net.cat([levels[:, column : column + 1] for column in columns]) / MAX_NETWORK_LEVEL - 0.5

    def analysis_inputs(
        self, net: Arithmetic, tasks: Names, planes: Mapping[str, Maps], present: Maps, levels: Maps
    ) -> tuple[Maps, Maps]:
        """What the analysis of ``tasks`` reads: planes centred on zero, absent ones zero, and its vector.

        Args:
            planes: by task, (B, C, H, W) in [0, 1]. present: (B, T), 1 where the scene has the task.
        """
        columns = [self.config.task_names.index(name) for name in tasks]
        x = [(planes[name] - 0.5) * present[:, i, None, None, None] for name, i in zip(tasks, columns)]
        qualities = self.qualities(net, dict(self.config.graph.analyses)[tasks], levels)
        vector = net.cat([*(present[:, i : i + 1] for i in columns), qualities])
        return net.cat(x), vector[:, :, None, None]

    def synthesis_inputs(
        self, net: Arithmetic, task: str, latents: Mapping[str, Maps], levels: Maps
    ) -> tuple[Maps, Maps]:
        """What the synthesis of ``task`` reads of float latents by stream, and its vector."""
        streams = self.config.graph.reads[task]
        vector = self.qualities(net, streams, levels)[:, :, None, None]
        return net.cat([latents[name] for name in streams]), vector

    def passes(
        self,
        networks: StreamNetworks,
        stream: str,
        levels: Maps,
        shape: tuple[int, int, int],
        latents: Latents,
    ) -> StreamPasses:
        """The coding passes of a stream, whose latents have this ``shape`` (B, H, W).

        Streams are coded in the order of ``graph.streams``; each is added to ``latents`` when it is done, so
        that the shared one is there for those that are coded given it.
        """
        condition = latents.condition(networks) if self.conditioned(stream) else None
        gains = networks.gain_vectors(levels[:, self.level_column(stream)])
        return StreamPasses(networks, gains, shape, condition)


def key(tasks: tuple[str, ...]) -> str:
    """Name of the analysis of these tasks."""
    return tasks[0] if len(tasks) == 1 else "all"
