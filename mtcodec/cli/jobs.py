"""Scenes that ``mtcodec encode`` encodes, in this process or in others, and what is printed of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from mtcodec.cli import report
from mtcodec.cli.common import emit, make_directory, note, progress_bar, set_threads, warn
from mtcodec.codec.request import Request
from mtcodec.errors import MtcodecError

if TYPE_CHECKING:
    from mtcodec.codec.api import Codec
    from mtcodec.codec.encoded import EncodedScene
    from mtcodec.files.layouts import SceneFiles

Work = tuple["SceneFiles", Path]
"""A scene, and its output."""


@dataclass
class Result:
    """What became of a scene.

    Attributes:
        label: what messages call the scene.
        path: its output.
        read: bytes of the images.
        facts: what ``--json`` prints of the file.
        measures: by task and measure.
        notes: lines for people.
        poor: tasks that are hardly usable.
        missed: how a target was missed; empty if it was reached.
        error: why there is no file.
    """

    label: str
    path: Path
    read: int = 0
    facts: dict[str, Any] = field(default_factory=dict)
    measures: dict[str, dict[str, float]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    poor: list[str] = field(default_factory=list)
    missed: str = ""
    error: MtcodecError | None = None


@dataclass
class Job:
    """Encodes scenes, in this process or in others; the codec is loaded with the first one.

    Attributes:
        bpp: bits per pixel to reach, if any.
        tasks: those to encode; None: all.
        several: outputs are files in directories, which are made.
    """

    request: Request
    weights: str
    device: str
    threads: int
    bpp: float | None
    tasks: list[str] | None
    force: bool
    several: bool

    def __call__(self, work: Work) -> Result:
        """Encode a scene into a file; an error of it is in the result."""
        scene, path = work
        result = Result(scene.label, path)
        try:
            encoded = self._encode(scene, result.notes.append)
            if self.several:
                make_directory(path.parent)
            emit(encoded.to_bytes(), path, self.force)
        except MtcodecError as error:
            result.error = located(error, scene)
            return result
        from mtcodec.codec import rate
        from mtcodec.container.mtc import Reader
        from mtcodec.files.scene import bytes_on_disk

        result.read = bytes_on_disk(scene, encoded.chosen)
        result.measures = encoded.measures
        result.facts = report.facts(Reader(encoded.to_bytes()), str(path), encoded.measures)
        result.notes += encoded.prepared.messages
        result.poor = encoded.below_floor()
        result.missed = rate.target_error(encoded, encoded.request)
        return result

    def _encode(self, scene: SceneFiles, tell: Callable[[str], None]) -> EncodedScene:
        """A scene, encoded at the quality that is asked for or searched."""
        from mtcodec.files import attachments
        from mtcodec.files.scene import layout_units, read_scene

        images = read_scene(scene, self.request.tasks, self.tasks, tell)
        attached = attachments.read(scene)
        settings = {**vars(self.request.for_tasks(images, layout_units(scene, images))), "attach": attached}
        if self.bpp is not None:
            height, width = next(iter(images.values())).shape[:2]
            settings["target_bytes"] = max(1, int(self.bpp * height * width / 8))
        return self._codec().encode_scene(images, **settings)

    def _codec(self) -> Codec:
        from mtcodec.codec.api import Codec

        if not hasattr(self, "_loaded"):
            set_threads(self.threads)
            self._loaded = Codec(self.weights, self.device, coding=self.request.coding)
        return self._loaded


@dataclass(frozen=True)
class ResultPrinter:
    """Prints results.

    Attributes:
        several: a line for each file, instead of its sections.
        to_stdout: the file itself goes to standard output, and nothing else may.
        weights: what the weights were called.
    """

    as_json: bool
    quiet: bool
    several: bool
    to_stdout: bool
    weights: str

    def show(self, result: Result) -> None:
        """Print notes and warnings about a scene, and what its file holds."""
        for line in result.notes if not self.quiet else ():
            note(f"{result.label}: {line}")
        if result.missed:
            warn(f"{result.label}: {result.missed}")
        if result.poor:
            psnrs = ", ".join(f"{task} {result.measures[task]['psnr']:.1f} dB" for task in result.poor)
            warn(
                f"{result.label}: hardly usable: {psnrs}. Try a higher --quality, --max-error or --lossless "
                "for it, other --weights, or train your own"
            )
        if self.quiet or self.to_stdout:
            return
        if self.several and not self.as_json:
            size, bpp = result.facts["bytes"], result.facts["bpp"]
            typer.echo(f"{result.path}  {size} bytes  {bpp:.4f} bpp  {report.decibels(result.measures)}")
            return
        report.print_file(result.facts, self.as_json, "" if self.weights == "auto" else self.weights)


@dataclass
class Totals:
    """What a run has done: scenes, bytes of images read and of files written, messages of failures."""

    scenes: int = 0
    read: int = 0
    bytes: int = 0
    failed: list[str] = field(default_factory=list)

    def add(self, result: Result) -> None:
        """Count a scene."""
        self.scenes += 1
        self.read += result.read
        self.bytes += result.facts["bytes"]


def collect(results: Iterable[Result], count: int, skip_errors: bool, printer: ResultPrinter) -> Totals:
    """Show each of ``count`` results, and the failures last.

    Raises:
        MtcodecError: the first failure, unless those are skipped.
    """
    totals = Totals()
    end = count if count > 1 else 0  # of one scene, progress is unknown
    with progress_bar(printer.quiet) as bar:
        bar("encoding", 0, end)
        for result in results:
            if result.error is None:
                totals.add(result)
                printer.show(result)
            elif skip_errors:
                totals.failed.append(str(result.error))
            else:
                raise result.error
            bar("encoding", totals.scenes + len(totals.failed), end)
    for line in totals.failed:
        warn(f"skipped: {line}")
    return totals


def located(error: MtcodecError, scene: SceneFiles) -> MtcodecError:
    """``error`` with the file or scene that it is about."""
    path = scene.files.get(error.task or "")
    return error.at(path=path) if path is not None else error.at(path=scene.label)
