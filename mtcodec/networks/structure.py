"""A multi-task codec's networks: analysis, an entropy model per stream, a synthesis per task.

The graph of the ``conditional`` architecture::

      x_1 … x_T ──► g_a ──┬─► y_shared ─► Stream ─► ŷ_shared ────┬──────────────┐
                          ├─► y_1 ──────► Stream( · | ŷ_shared) ─► ŷ_1 ─► g_s,1([ŷ_shared, ŷ_1])
                          └─► y_T ──────► Stream( · | ŷ_shared) ─► ŷ_T ─► g_s,T([ŷ_shared, ŷ_T])

``shared`` lacks the conditioning, ``disjoint`` lacks y_shared, ``mixed`` has nothing else, and ``single`` is
``disjoint`` with an analysis for each task (:class:`mtcodec.networks.config.Graph`). After "Multi-Modal
Multi-Task Data Compression" (Alvandian, Bachmann), where one hyper-latent serves all streams; here each
stream has its own, so that a stored subset of them needs nothing of the others. Imports no torch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from mtcodec.networks import backbones
from mtcodec.networks.backbones.backbone import Transform
from mtcodec.networks.config import SHARED, Graph, ModelConfig
from mtcodec.networks.entropy.gain_vectors import Rows
from mtcodec.networks.entropy.stream import Stream, canonical, latent
from mtcodec.networks.layers import Arithmetic, Layers, Maps, within
from mtcodec.quality import MAX_NETWORK_LEVEL

ALIGNMENT = 64  # images are padded to multiples of this: hyper-latents are at 1/64
LATENT = 16  # pixels along the side of a latent's place


def aligned(size: int) -> int:
    """Height or width with the padding that networks need."""
    return -(-size // ALIGNMENT) * ALIGNMENT


@dataclass
class Latents:
    """Decoded streams by name: integers in units of 1/16 symbol, (B, N, H/16, W/16), and rows of tables."""

    y_hat: dict[str, Maps] = field(default_factory=dict)
    rows: dict[str, Rows] = field(default_factory=dict)

    def floats(self, name: str) -> Maps:
        """The latent of a stream as synthesis reads it."""
        return latent(self.y_hat[name], self.rows[name])

    def part(self, rows: slice, columns: slice) -> Latents:
        """Those of some rows and columns."""
        return Latents({name: y_hat[:, :, rows, columns] for name, y_hat in self.y_hat.items()}, self.rows)


Code = Callable[[str, Rows, Maps | None], Maps]
"""Codes a stream: its name, its tables' rows, and what it is conditioned on → ŷ."""


@dataclass(frozen=True)
class Structure:
    """Which networks there are, what they are called, and who reads what.

    Names of parameters are ``g_a.<key>.…``, ``g_s.<task>.…`` and ``streams.<stream>.…``.
    Quality steps come as (B, 1 + T): the scene's, which is that of the shared stream, then by task.
    """

    config: ModelConfig

    @cached_property
    def graph(self) -> Graph:
        return self.config.graph

    @cached_property
    def analyses(self) -> dict[str, Transform]:
        """By :func:`key`, in the order of the graph's."""
        make = backbones.load(self.config.backbone).analysis
        return {key(read): make(self.config, read, made) for read, made in self.graph.analyses}

    @cached_property
    def syntheses(self) -> dict[str, Transform]:
        """By task."""
        make = backbones.load(self.config.backbone).synthesis
        return {name: make(self.config, name) for name in self.config.task_names}

    @cached_property
    def streams(self) -> dict[str, Stream]:
        """Entropy models by stream, in the order of coding."""
        config = self.config
        return {
            name: Stream(
                config.channels(name),
                config.hyper,
                config.entropy_width,
                config.shared_latents if self.conditioned(name) else 0,
            )
            for name in self.graph.streams
        }

    @property
    def layers(self) -> Layers:
        """All layers by their whole names."""
        found: Layers = {}
        for group, networks in (("g_a", self.analyses), ("g_s", self.syntheses), ("streams", self.streams)):
            for name, network in networks.items():
                found |= within(f"{group}.{name}", network.layers)
        return found

    def conditioned(self, stream: str) -> bool:
        """Is a stream coded given the shared one?"""
        return self.graph.conditioned and stream != SHARED

    def column(self, stream: str) -> int:
        """Column of the quality steps that is a stream's."""
        return 0 if stream == SHARED else 1 + self.config.task_names.index(stream)

    def qualities(self, net: Arithmetic, streams: Iterable[str], steps: Maps) -> Maps:
        """Qualities of ``streams`` as the transforms see them, −0.5 to 0.5, (B, streams)."""
        columns = (self.column(name) for name in streams)
        return net.cat([steps[:, column : column + 1] for column in columns]) / MAX_NETWORK_LEVEL - 0.5

    def walk(
        self,
        net: Arithmetic,
        rows: Callable[[str], Rows],
        code: Code,
        names: Iterable[str] | None = None,
        latents: Latents | None = None,
    ) -> Latents:
        """Code streams in their order: the one walk of training, encoder, decoder and analyses.

        Args:
            rows: rows of the tables of a stream.
            code: called for every stream.
            names: of streams, all without it.
            latents: of streams that were walked through before; the others are added to them.
        """
        latents = Latents() if latents is None else latents
        shared: Maps = None
        for name in self.graph.streams if names is None else names:
            if shared is None and self.conditioned(name):
                shared = canonical(net, latents.y_hat[SHARED], latents.rows[SHARED])
            own = rows(name)
            latents.y_hat[name] = code(name, own, shared if self.conditioned(name) else None)
            latents.rows[name] = own
        return latents


def inputs(
    net: Arithmetic, planes: Mapping[str, Maps], present: Mapping[str, Maps], read: Iterable[str]
) -> Maps:
    """What an analysis of the tasks ``read`` sees of planes (B, C, H, W) in [0, 1].

    ``present`` is 1 where the scene has a task, (B, 1, 1, 1).
    """
    return net.cat([(planes[name] - 0.5) * present[name] for name in read])


def key(read: tuple[str, ...]) -> str:
    """Name of the analysis of these tasks."""
    return read[0] if len(read) == 1 else "all"
