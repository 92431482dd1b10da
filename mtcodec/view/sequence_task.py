"""One task of a sequence as a page shows it: one style, one scale and one legend for all its frames.

First every frame is looked at (:meth:`TaskOfClip.survey`), then each is drawn (:meth:`TaskOfClip.draw`).
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

import numpy as np

from mtcodec.codec.prepare import as_array
from mtcodec.container.header import Header
from mtcodec.container.section import NUMBERS, Section
from mtcodec.errors import MtcodecError
from mtcodec.measure.compare import Compared, combined
from mtcodec.signals.mapping import Array
from mtcodec.signals.measures import PSNR_CAP, measure, psnr_of
from mtcodec.signals.signal import Signal
from mtcodec.tasks import Declarations
from mtcodec.view.colours import Floats
from mtcodec.view.error_maps import errors_of, top_of
from mtcodec.view.numbers import text_of
from mtcodec.view.pictures import Picture, Sizing
from mtcodec.view.scales import SAMPLE_VALUES
from mtcodec.view.styles import Style, legend_of, style_of
from mtcodec.view.task import TaskView, declaration_of, error_picture, picture_of, signal_of, unit_of


@dataclass
class FrameView:
    """What a page shows of a task in one frame.

    Attributes:
        numbers: of a task that is no image, as text; else "".
        psnr: in dB, over the range of the whole clip; None where nothing was compared, or nothing is lost.
        lack: why there is nothing to see; "" if there is.
        error: the same, where it is damage.
        compare_problem: why there is no comparison, or "".
    """

    decoded: Picture | None = None
    original: Picture | None = None
    error_map: Picture | None = None
    numbers: str = ""
    psnr: float | None = None
    lack: str = ""
    error: MtcodecError | None = None
    compare_problem: str = ""


@dataclass
class TaskOfClip:
    """A task of a sequence.

    Attributes:
        frame_count: how many frames are shown.
        known: what tasks are declared to be.
        unit_note: the length of a stored step, as files or datasets tell it; or None.
        view: what holds for all frames; None before one of them was decoded.
        frames: what was drawn, by number of the frame.
    """

    name: str
    frame_count: int
    known: Declarations
    unit_note: object = None
    view: TaskView | None = None
    style: Style | None = None
    error_top: float | None = None
    frames: dict[int, FrameView] = field(default_factory=dict)
    _samples: list[Array] = field(default_factory=list)
    _sections: dict[Section, None] = field(default_factory=dict)
    _errors: list[Floats] = field(default_factory=list)
    _ids: Counter[int] = field(default_factory=Counter)
    _compared: dict[int, Compared] = field(default_factory=dict)
    _hole_shares: list[float] = field(default_factory=list)

    @property
    def is_numbers(self) -> bool:
        """Is it no image?"""
        return self.view is not None and self.view.numbers != ""

    # --- all frames ----------------------------------------------------------------------------------------

    def survey(self, header: Header, image: Array, original: Array | None) -> None:
        """Look at one frame's values and errors."""
        section, view = header.task(self.name), self._view_of(header, image)
        if section.attributes.shape in NUMBERS:
            return
        image = as_array(self.name, image)
        stride = max(1, int(np.ceil((image.size * self.frame_count / SAMPLE_VALUES) ** 0.5)))
        self._samples.append(image[::stride, ::stride])
        self._sections[section] = None
        if view.task.kind.colours == "labels" and image.ndim == 2:
            ids, counts = np.unique(image, return_counts=True)
            self._ids.update(dict(zip(ids.tolist(), counts.tolist())))
        try:
            pair = self._pair(section, image, original)
        except MtcodecError:
            return  # drawing tells why
        if pair is not None and not view.task.exact:
            errors, _ = errors_of(pair[0], image, view.unit)
            self._errors.append(errors[::stride, ::stride])

    def _view_of(self, header: Header, image: Array) -> TaskView:
        """What holds for all frames, made of the first one."""
        if self.view is None:
            section = header.task(self.name)
            task = declaration_of(self.name, section, image, self.known)
            dtype = section.attributes.dtype
            unit = unit_of(task, dtype, self.unit_note)
            self.view = TaskView(self.name, task, dtype, *header.size_of(self.name), unit=unit)
        return self.view

    def _pair(self, section: Section, image: Array, original: Array | None) -> tuple[Signal, Compared] | None:
        """The original and how the decoded image compares with it; None where it cannot be compared."""
        if original is None or self.view is None:
            return None
        signal = signal_of(self.view.task, as_array(self.name, original), section)
        measures, pixels = measure(signal, image), signal.height * signal.width
        valid = pixels if signal.valid is None else int(signal.valid.sum())
        value_range = signal.pixel_format.value_range
        return signal, Compared(measures, pixels, valid, (value_range.low, value_range.high))

    def settle(self) -> None:
        """Choose the style, scales and the legend; of what was surveyed."""
        if self.view is None or not self._samples:
            return
        montage = signal_of(self.view.task, np.concatenate(self._samples), *self._sections)
        self.style = style_of(montage, self.view.unit)
        self.view.scale = self.style.scale
        if self.style.rendering == "labels":
            ids = sorted(self._ids)
            counts = np.array([self._ids[number] for number in ids])
            self.view.labels, self.view.hidden_labels = legend_of(np.array(ids), counts)
        if self._errors:
            self.error_top = top_of(np.concatenate(self._errors))
        self._samples, self._errors = [], []

    # --- one frame -----------------------------------------------------------------------------------------

    def draw(
        self, number: int, header: Header, image: Array, original: Array | None, sizing: Sizing
    ) -> FrameView:
        """Pictures of one frame; of numbers, their text."""
        section, view, frame = header.task(self.name), self._view_of(header, image), FrameView()
        self.frames[number] = frame
        if section.attributes.shape in NUMBERS:
            frame.numbers = text_of(image)
            return frame
        image = as_array(self.name, image)
        signal = signal_of(view.task, image, section)
        if self.style is None:  # of a task whose colours are the same in every frame
            self.style = style_of(signal, view.unit)
        frame.decoded = picture_of(signal, self.style, sizing)
        self._hole_shares.append(0.0 if signal.valid is None else 1 - float(signal.valid.mean()))
        try:
            pair = self._pair(section, image, original)
        except MtcodecError as error:
            frame.compare_problem = f"no comparison: {error.reason}"
            return frame
        if pair is not None:
            reference, self._compared[number] = pair
            frame.original = picture_of(reference, self.style, sizing)
            if not view.task.exact and pair[1].measures.get("mse") != 0:
                errors, unit = errors_of(reference, image, view.unit)
                frame.error_map, view.error_scale = error_picture(
                    errors, unit, reference.valid, sizing, self.error_top
                )
        return frame

    def forget(self) -> None:
        """Nothing is drawn yet."""
        self.frames, self._compared, self._hole_shares = {}, {}, []

    def finish(self) -> None:
        """Measures over all frames, and of each."""
        if self.view is None:
            return
        first = next((frame for frame in self.frames.values() if frame.decoded or frame.numbers), None)
        if first is not None:
            self.view.decoded, self.view.numbers = first.decoded, first.numbers
        if self._hole_shares:
            self.view.hole_share = float(np.mean(self._hole_shares))
        if not self._compared:
            return
        self.view.measures = combined(list(self._compared.values()))
        ranges = [one.value_range for one in self._compared.values() if one.valid]
        span = max((high for _, high in ranges), default=0.0) - min((low for low, _ in ranges), default=0.0)
        for number, one in self._compared.items():
            if "mse" in one.measures and one.valid:
                low, high = one.value_range
                psnr = psnr_of(one.measures["mse"] * ((high - low or 1.0) / (span or 1.0)) ** 2)
                self.frames[number].psnr = psnr if psnr < PSNR_CAP else None
