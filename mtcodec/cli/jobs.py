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


@dataclass
class Result:
    """What became of a scene."""

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
    """Encodes scenes, in this process or in others; the codec is loaded with the first one."""

    request: Request
    weights: str
    device: str
    threads: int
    bpp: float | None
    wanted: list[str] | None
    force: bool
    several: bool

    def __call__(self, work: tuple[SceneFiles, Path]) -> Result:
        source, path = work
        result = Result(source.label, path)
        try:
            encoded = self._encode(source, result.notes.append)
            if self.several:
                make_directory(path.parent)
            emit(encoded.to_bytes(), path, self.force)
        except MtcodecError as error:
            result.error = located(error, source)
            return result
        from mtcodec.codec import rate
        from mtcodec.container.mtc import Reader
        from mtcodec.files.scene import bytes_on_disk

        result.read = bytes_on_disk(source, encoded.candidates)
        result.measures = encoded.measures
        result.facts = report.facts(Reader(encoded.to_bytes()), str(path), encoded.measures)
        result.notes += encoded.prepared.messages
        result.poor = encoded.below_floor()
        result.missed = rate.missed(encoded, encoded.request)
        return result

    def _encode(self, source: SceneFiles, tell: Callable[[str], None]) -> EncodedScene:
        from mtcodec.files import attachments
        from mtcodec.files.scene import layout_units, read_scene

        images = read_scene(source, self.request.tasks, self.wanted, tell)
        own: dict[str, Any] = {"attach": attachments.read(source)}
        if self.bpp is not None:
            height, width = next(iter(images.values())).shape[:2]
            own["target_bytes"] = max(1, int(self.bpp * height * width / 8))
        request = self.request.only(images, layout_units(source, images))
        return self._codec().encode_scene(images, **{**vars(request), **own})

    def _codec(self) -> Codec:
        from mtcodec.codec.api import Codec

        if not hasattr(self, "_loaded"):
            set_threads(self.threads)
            self._loaded = Codec(self.weights, self.device, coding=self.request.coding)
        return self._loaded


@dataclass(frozen=True)
class Printing:
    """How results are shown."""

    as_json: bool
    quiet: bool
    several: bool
    to_stdout: bool
    weights: str

    def show(self, result: Result) -> None:
        for line in result.notes if not self.quiet else ():
            note(f"{result.label}: {line}")
        if result.missed:
            warn(f"{result.label}: {result.missed}")
        if result.poor:
            found = ", ".join(f"{name} {result.measures[name]['psnr']:.1f} dB" for name in result.poor)
            warn(f"{result.label}: hardly usable: {found}. Try a higher --quality, --max-error or --lossless "
                 "for it, other --weights, or train your own")  # fmt: skip
        if self.quiet or self.to_stdout:
            return
        if self.several and not self.as_json:
            own = result.facts
            typer.echo(f"{result.path}  {own['bytes']} bytes  {own['bpp']:.4f} bpp"
                       f"  {report.decibels(result.measures)}")  # fmt: skip
            return
        report.print_file(result.facts, self.as_json, "" if self.weights == "auto" else self.weights)


@dataclass
class Totals:
    """What a run has done; bytes of images read, and of files."""

    scenes: int = 0
    read: int = 0
    bytes: int = 0
    failed: list[str] = field(default_factory=list)

    def add(self, result: Result) -> None:
        self.scenes += 1
        self.read += result.read
        self.bytes += result.facts["bytes"]


def collect(results: Iterable[Result], total: int, skip_errors: bool, printing: Printing) -> Totals:
    """Show every result, and the failures last.

    Raises:
        MtcodecError: the first failure, unless those are skipped.
    """
    done = Totals()
    with progress_bar(printing.quiet) as bar:
        bar("encoding", 0, total if total > 1 else 0)
        for result in results:
            if result.error is None:
                done.add(result)
                printing.show(result)
            elif skip_errors:
                done.failed.append(str(result.error))
            else:
                raise result.error
            bar("encoding", done.scenes + len(done.failed), total if total > 1 else 0)
    for line in done.failed:
        warn(f"skipped: {line}")
    return done


def located(error: MtcodecError, source: SceneFiles) -> MtcodecError:
    """``error`` with the file or scene that it is about."""
    path = source.files.get(error.task or "")
    return error.at(path=path) if path is not None else error.at(path=source.label)
