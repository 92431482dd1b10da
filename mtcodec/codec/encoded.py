"""A scene as it will be stored, and the bytes of its file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from mtcodec.codec.prepare import Prepared
from mtcodec.codec.request import Request
from mtcodec.coders.candidate import Candidate, attributes_of
from mtcodec.container import attachments, notes
from mtcodec.container import mtc as container
from mtcodec.container.header import NO_WEIGHTS, Header
from mtcodec.container.section import ATTACHMENTS, NOTES, SHARED, Attributes, Section, mask_name
from mtcodec.signals.holes import Holes
from mtcodec.signals.mapping import Array
from mtcodec.signals.measures import errors, measure

if TYPE_CHECKING:
    from mtcodec.coders.neural import NeuralCandidates


QUICK = 0.02  # of a scene's bytes: what a mask may cost for being decoded quickly


@dataclass(frozen=True)
class MaskSection:
    """A section of holes: where they are, its least payload, and a longer one that decodes quickly."""

    holes: Holes
    small: bytes
    quick: bytes | None

    def payload(self, others: int) -> bytes:
        """What is stored beside ``others`` bytes of the scene."""
        if self.quick is None or len(self.quick) - len(self.small) > QUICK * others:
            return self.small
        return self.quick


@dataclass(frozen=True)
class EncodedScene:
    """What the mode decision has chosen for a scene.

    Attributes:
        tasks: the coding of every task, in the order of the scene.
        masks: sections of holes that they read.
        neural: what networks made, None where no task needs them.
        quality: 0 to 100.
    """

    prepared: Prepared
    tasks: dict[str, Candidate]
    masks: Sequence[MaskSection]
    neural: NeuralCandidates | None
    quality: float
    request: Request

    @cached_property
    def decoded(self) -> dict[str, Array]:
        """Images as decoding gives them."""
        return {name: coded.decoded for name, coded in self.tasks.items()}

    @cached_property
    def measures(self) -> dict[str, dict[str, float]]:
        """Measures of every task that is not kept exactly, see :func:`mtcodec.signals.measures.measure`."""
        own = self.prepared.originals
        return {n: measure(own[n], c.decoded) for n, c in self.tasks.items() if not own[n].task.exact}

    @cached_property
    def psnr(self) -> dict[str, float]:
        """dB by task that is not kept exactly."""
        own = self.prepared.originals
        return {n: errors(own[n], c.decoded)["psnr"] for n, c in self.tasks.items() if not own[n].task.exact}

    @property
    def poor(self) -> list[str]:
        """Tasks that are hardly usable: their PSNR is under the floor of their kind."""
        own = self.prepared.originals
        return [name for name, psnr in self.psnr.items() if psnr < own[name].task.kind.floor]

    def to_bytes(self) -> bytes:
        """The bytes of the scene's file."""
        payloads: dict[str, bytes] = {}
        sections: list[Section] = []

        def add(name: str, coding: str, payload: bytes, attributes: Attributes) -> None:
            sections.append(Section(name, coding, attributes))
            payloads[name] = payload

        if self.neural is not None and self.neural.shared is not None:
            add(SHARED, "neural", self.neural.shared, Attributes())
        images = sum(len(coded.payload) for coded in self.tasks.values())
        for k, mask in enumerate(self.masks):
            add(mask_name(k), "labels", mask.payload(images), Attributes("uint8", 1))
        for name, coded in self.tasks.items():
            holes = coded.pixel_format.holes
            index = (
                None if holes is None else next(k for k, m in enumerate(self.masks) if m.holes.same(holes))
            )
            add(name, coded.coding, coded.payload, attributes_of(coded, index))
        told = self._notes()
        if told:
            add(NOTES, "raw", notes.pack(told), Attributes())
        if self.request.attach:
            add(ATTACHMENTS, "raw", attachments.pack(self.request.attach), Attributes())
        fingerprint, quality = NO_WEIGHTS, 0
        if self.neural is not None:
            fingerprint, quality = self.neural.networks.info.fingerprint, self.neural.level
        size = self.prepared.height, self.prepared.width
        return container.build(Header(fingerprint, *size, quality, tuple(sections)), payloads)

    def _notes(self) -> dict[str, dict[str, float | str]]:
        told: dict[str, dict[str, float | str]] = {
            name: {"unit": unit} for name, unit in self.request.units.items() if name in self.tasks
        }
        if self.request.measures:
            for name, own in self.measures.items():
                told.setdefault(name, {}).update({k: float(f"{v:.5g}") for k, v in own.items()})
        return told
