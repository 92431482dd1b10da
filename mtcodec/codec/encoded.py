"""A scene or group as the mode decision has chosen it. Only here sections become bytes of a file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

from mtcodec.codec.prepare import Prepared
from mtcodec.codec.request import Request
from mtcodec.coders.candidate import Candidate, attributes_of
from mtcodec.coders.masks import MaskPayloads
from mtcodec.container import attachments, mtc, notes
from mtcodec.container.frames import Frames
from mtcodec.container.header import MAX_HEADER, MAX_SECTIONS, NO_WEIGHTS, Header
from mtcodec.container.section import (
    ATTACHMENTS,
    IMAGE,
    MAX_MASKS,
    NOTES,
    SHARED,
    Attributes,
    Section,
    Size,
    array_shape,
    is_mask,
    mask_name,
)
from mtcodec.errors import SceneError
from mtcodec.signals.mapping import Array
from mtcodec.signals.measures import errors, measure
from mtcodec.signals.signal import Signal

if TYPE_CHECKING:
    from mtcodec.coders.neural import NeuralCandidates


@dataclass(frozen=True)
class EncodedGroup:
    """What the mode decision has chosen for a scene, or for the frames of a group.

    Images are decoded and measured when first asked for.

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
        """Arrays by task as decoding gives them; of several frames with their number as first dimension."""
        return {name: self._as_arrays(name, candidate.decoded()) for name, candidate in self.chosen.items()}

    def _as_arrays(self, name: str, images: Array) -> Array:
        """Images that lie one below the other, in the shape of the task's arrays."""
        size, count = self.prepared.size_of(name), len(self.prepared.frames_of[name])
        channels = self.chosen[name].pixel_format.channels
        shape = array_shape(self.prepared.shapes.get(name, IMAGE), size, channels)
        return images.reshape(shape if self.prepared.timeline is None else (count, *shape))

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
        """The file of the scene, or the group."""
        sections = self._sections()
        fingerprint, level = NO_WEIGHTS, 0
        if self.neural is not None:
            fingerprint, level = self.neural.networks.info.fingerprint, self.neural.level
        descriptors = tuple(section for section, _ in sections)
        _check_count(descriptors)
        header = Header(fingerprint, *self._size(), level, descriptors, self._frames())
        data = mtc.build(header, {section.name: payload for section, payload in sections})
        header_bytes = len(data) - sum(len(payload) for _, payload in sections)
        if header_bytes > MAX_HEADER:
            raise SceneError(f"a header of {header_bytes} bytes, but {MAX_HEADER} are allowed: fewer --tasks")
        return data

    def _size(self) -> Size:
        """That of the networks' images, else the one that most tasks have."""
        neural = [name for name, candidate in self.chosen.items() if candidate.coding == "neural"]
        sizes = Counter(map(self.prepared.size_of, neural or self.chosen))
        return sizes.most_common(1)[0][0]

    @cached_property
    def _stored_timeline(self) -> tuple[Frames | None, Mapping[str, tuple[int, ...]]]:
        """Frames of the header, and delays by task."""
        timeline = self.prepared.timeline
        return (None, {}) if timeline is None else timeline.stored(self.prepared.frames_of)

    def _frames(self) -> Frames | None:
        return self._stored_timeline[0]

    def _sections(self) -> list[tuple[Section, bytes]]:
        """Descriptors and payloads in the order of the file: shared, masks, tasks, notes, attachments."""
        sections: list[tuple[Section, bytes]] = []
        if self.neural is not None and self.neural.shared is not None:
            sections.append((Section(SHARED, "neural", Attributes()), self.neural.shared))
        image_bytes = sum(len(candidate.payload) for candidate in self.chosen.values())
        used = self._used_masks()
        for place, index in enumerate(used):
            user = next(name for name, mask in self.mask_of.items() if mask == index)
            attributes = Attributes("uint8", 1, size=self._size_told(user))
            payload = self.masks[index].payload(image_bytes)
            sections.append((Section(mask_name(place), "labels", attributes), payload))
        for name, candidate in self.chosen.items():
            needs: tuple[str, ...] = (SHARED,) if candidate.uses_shared else ()
            if candidate.pixel_format.holes is not None:
                needs += (mask_name(used.index(self.mask_of[name])),)
            section = Section(name, candidate.coding, self._attributes(name, candidate), needs)
            sections.append((section, candidate.payload))
        if content := self._notes():
            sections.append((Section(NOTES, "raw", Attributes()), notes.pack(content)))
        if files := self.request.attach:
            sections.append((Section(ATTACHMENTS, "raw", Attributes()), attachments.pack(files)))
        return sections

    def _attributes(self, name: str, candidate: Candidate) -> Attributes:
        """What the descriptor of a task says of its samples, size, shape and frames."""
        frames = self.prepared.frames_of[name]
        return replace(
            attributes_of(candidate), size=self._size_told(name),
            shape=self.prepared.shapes.get(name, IMAGE),
            frames=None if len(frames) == self.prepared.frame_count else frames,
            delays=self._stored_timeline[1].get(name),
        )  # fmt: skip

    def _size_told(self, name: str) -> Size | None:
        """The size of a task that has another than the header's."""
        size = self.prepared.size_of(name)
        return None if size == self._size() else size

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


def _check_count(sections: Sequence[Section]) -> None:
    """Raise SceneError for more sections, or masks of holes, than a file can hold."""
    masks = sum(is_mask(section.name) for section in sections)
    if masks > MAX_MASKS:
        raise SceneError(f"holes in {masks} different places, but a file holds {MAX_MASKS}: fewer --tasks")
    count = sum(section.name != SHARED for section in sections)
    if count > MAX_SECTIONS:
        raise SceneError(f"{count} sections, but a file holds {MAX_SECTIONS}: fewer --tasks")
