"""A scene as the mode decision has chosen it. Only here sections become bytes of a file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from mtcodec.codec.prepare import Prepared
from mtcodec.codec.request import Request
from mtcodec.coders.candidate import Candidate, attributes_of
from mtcodec.coders.masks import MaskPayloads
from mtcodec.container import attachments, mtc, notes
from mtcodec.container.header import NO_WEIGHTS, Header
from mtcodec.container.section import ATTACHMENTS, NOTES, SHARED, Attributes, Section, mask_name
from mtcodec.signals.mapping import Array
from mtcodec.signals.measures import errors, measure
from mtcodec.signals.signal import Signal

if TYPE_CHECKING:
    from mtcodec.coders.neural import NeuralCandidates


@dataclass(frozen=True)
class EncodedScene:
    """What the mode decision has chosen for a scene. Images are decoded and measured when first asked for.

    Attributes:
        chosen: the candidate of every task, in the order of the scene.
        masks: of the scene's holes. mask_of: which of them a task's holes are, by task.
        neural: what networks made, None where no task needs them.
        quality: 0 to 100.
    """

    prepared: Prepared
    chosen: dict[str, Candidate]
    masks: Sequence[MaskPayloads]
    mask_of: Mapping[str, int]
    neural: NeuralCandidates | None
    quality: float
    request: Request

    @cached_property
    def decoded(self) -> dict[str, Array]:
        """Images by task as decoding gives them."""
        return {name: candidate.decoded() for name, candidate in self.chosen.items()}

    @cached_property
    def measures(self) -> dict[str, dict[str, float]]:
        """Measures of every task that may have losses, see :func:`mtcodec.signals.measures.measure`."""
        return {
            name: measure(signal, self.chosen[name].decoded()) for name, signal in self._measured().items()
        }

    @cached_property
    def psnr(self) -> dict[str, float]:
        """dB by task that may have losses."""
        return {
            name: errors(signal, self.chosen[name].decoded())["psnr"]
            for name, signal in self._measured().items()
        }

    def _measured(self) -> dict[str, Signal]:
        """Signals of the tasks that have measures: those whose kind is not always exact."""
        return {name: signal for name, signal in self.prepared.signals.items() if not signal.task.exact}

    def below_floor(self) -> list[str]:
        """Tasks that are hardly usable: their PSNR is under the floor of their kind."""
        signals = self.prepared.signals
        return [name for name, psnr in self.psnr.items() if psnr < signals[name].task.kind.floor]

    def to_bytes(self) -> bytes:
        """The scene's file."""
        sections = self._sections()
        fingerprint, level = NO_WEIGHTS, 0
        if self.neural is not None:
            fingerprint, level = self.neural.networks.info.fingerprint, self.neural.level
        descriptors = tuple(section for section, _ in sections)
        header = Header(fingerprint, self.prepared.height, self.prepared.width, level, descriptors)
        return mtc.build(header, {section.name: payload for section, payload in sections})

    def _sections(self) -> list[tuple[Section, bytes]]:
        """Descriptors and payloads in the order of the file: shared, masks, tasks, notes, attachments."""
        sections: list[tuple[Section, bytes]] = []
        if self.neural is not None and self.neural.shared is not None:
            sections.append((Section(SHARED, "neural", Attributes()), self.neural.shared))
        image_bytes = sum(len(candidate.payload) for candidate in self.chosen.values())
        used = self._used_masks()
        for place, index in enumerate(used):
            payload = self.masks[index].payload(image_bytes)
            sections.append((Section(mask_name(place), "labels", Attributes("uint8", 1)), payload))
        for name, candidate in self.chosen.items():
            has_holes = candidate.pixel_format.holes is not None
            attributes = attributes_of(candidate, used.index(self.mask_of[name]) if has_holes else None)
            sections.append((Section(name, candidate.coding, attributes), candidate.payload))
        if content := self._notes():
            sections.append((Section(NOTES, "raw", Attributes()), notes.pack(content)))
        if files := self.request.attach:
            sections.append((Section(ATTACHMENTS, "raw", Attributes()), attachments.pack(files)))
        return sections

    def _used_masks(self) -> list[int]:
        """Indexes of the masks that the candidates read."""
        with_holes = (
            name for name, candidate in self.chosen.items() if candidate.pixel_format.holes is not None
        )
        return sorted({self.mask_of[name] for name in with_holes})

    def _notes(self) -> dict[str, dict[str, float | str]]:
        content: dict[str, dict[str, float | str]] = {
            name: {"unit": unit} for name, unit in self.request.units.items() if name in self.chosen
        }
        if self.request.measures:
            for name, measures in self.measures.items():
                content.setdefault(name, {}).update({k: float(f"{v:.5g}") for k, v in measures.items()})
        return content
