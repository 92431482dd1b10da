"""Options that several commands share: each is declared once, with its text of help and what it sets.

Annotations are evaluated when the module is imported, which takes less time than to compile them later.
"""

import math
from collections.abc import Iterable, Mapping
from typing import Any

import typer

from mtcodec.cli.common import note, show
from mtcodec.cli.groups import Group, option
from mtcodec.codec import texts
from mtcodec.codec.request import CODING_CHOICES, EFFORTS, Request
from mtcodec.container.section import MAX_PIXELS
from mtcodec.errors import UsageError
from mtcodec.files import packing
from mtcodec.files.reading import EXIF_CHOICES, Reading
from mtcodec.quality import DEFAULT, WORDS
from mtcodec.tasks import KINDS, USUAL, Declarations

# Panels of a command's help; options that have none come first.
IMAGES = "What the images are"
MANY = "Many scenes"
TARGETS = "Targets instead of a quality"
CODING = "Coding (the defaults are right for most)"
MACHINE = "Machine"


def number(value: float | None) -> float | None:
    """``value``; bad usage where it is NaN, which lies within any limits."""
    if value is not None and math.isnan(value):
        raise typer.BadParameter("not a number")
    return value


def device_option(help: str, *devices: str) -> Any:
    """The option that names one of ``devices``, by default the first."""

    def check(name: str) -> str:
        if name not in devices:
            raise UsageError(f"device must be {', '.join(devices[:-1])} or {devices[-1]}, not {name!r}")
        return name

    return option(devices[0], "DEVICE", help, panel=MACHINE, words=devices, callback=check)


def output_option(metavar: str, help: str, missing: str = "OUT") -> Any:
    """The option that says where results go, without which a command refuses to work."""

    def check(output: str) -> str:
        if not output:
            raise UsageError(f"missing -o {missing}")
        return output

    return option("", metavar, help, "-o", "--output", callback=check)


# --- of any command ----------------------------------------------------------------------------------

FORCE = option(False, None, "Overwrite existing output.")
JSON = option(False, None, "Print JSON.", "--json")
QUIET = option(False, None, "Print nothing but warnings and errors.", "-q", "--quiet")
THREADS = option(
    0, "N", "Threads of one scene; 0: one for every core.", panel=MACHINE, min=0, max=1024,
    show_default="one for every core",
)  # fmt: skip
DEVICE = device_option("Where networks run: cpu, or cuda, which needs mtcodec\\[train].", "cpu", "cuda")
PIXEL_LIMIT = option(
    MAX_PIXELS, "N", "Refuse images of more pixels, which take memory and time.", "--max-pixels",
    panel=MACHINE, min=0, callback=lambda pixels: pixels or MAX_PIXELS,
    show_default="2^28, the format's limit",
)  # fmt: skip
JOBS = option(
    1, "N", "Processes, each of which works on scenes; 0: one for every core.", "-j", "--jobs",
    panel=MANY, min=0, max=1024,
)  # fmt: skip
LIMIT = option(0, "N", "Only the first N scenes.", min=0, show_default="all")
MORE_WEIGHTS = option(
    "", "WEIGHTS", "Names or paths of weights that files may need besides the installed ones.", panel=CODING
)


class MessageOptions(Group):
    """What is told of the work."""

    quiet: bool = QUIET

    def note(self, message: str) -> None:
        """Print a note, unless none are wanted; what tells of a loss is a warning."""
        note(message, self.quiet)


class PrintOptions(MessageOptions):
    """What is printed."""

    as_json: bool = JSON

    def show(self, facts: Mapping[str, Any], lines: Iterable[str]) -> None:
        """Print ``facts`` as JSON, or ``lines`` for people, as is wanted."""
        show(facts, lines, self.as_json, self.quiet)


class MachineOptions(Group):
    """Where and by how many threads scenes are coded."""

    threads: int = THREADS
    device: str = DEVICE


class ClusterOptions(Group):
    """Processes that share the work on an archive."""

    workers: int = option(
        0, "N", "Processes.", panel=MACHINE, min=0, max=1024, show_default="one for every core"
    )
    engine: str = option(
        "local", "ENGINE",
        "local: processes of this machine; ray: the cluster of RAY_ADDRESS, see docs/archives.md.",
        panel=MACHINE, words=("local", "ray"),
    )  # fmt: skip


# --- of inputs ---------------------------------------------------------------------------------------

DATASET = typer.Argument(metavar="DATASET", help="Scenes in any layout of encode --help.")
FILE_OR_ARCHIVE = typer.Argument(
    metavar="FILE|ARCHIVE", help="An .mtc file (- is standard input), or an archive."
)
ARCHIVE = typer.Argument(metavar="ARCHIVE", help="A directory, or a URL (s3://, https://).")
ONLY_TASKS = option("", "TASKS", "Only these, e.g. rgb,depth; default: all.", "--tasks")
TASKS_TO_ENCODE = option("", "TASKS", "Only these, e.g. rgb,depth; default: all images.", "--tasks")
ATTACH = option(
    None, "NAME",
    "A small file to keep in each scene's file and to give back beside its images: camera.json in "
    "the directory of the scene's images, pose/{key}.txt, or any other path; repeatable, 64 kB in all.",
)  # fmt: skip


class BatchOptions(Group):
    """Of commands that encode many scenes."""

    skip_errors: bool = option(
        False, None, "Go on past scenes that cannot be encoded; exit code 1.", panel=MANY
    )
    files_from: str = option("", "FILE", "More of them, one a line; - is standard input.", panel=MANY)


class ReadingOptions(Group):
    """How a dataset is read where its files leave a choice."""

    exif: str = option(
        "auto", "turn|keep",
        "Turn images as their marks of orientation say (of EXIF, or the format's own), or keep them as they "
        "are stored; default: turn a scene's images if all say the same.",
        panel=IMAGES, words=EXIF_CHOICES, show_default=False,
    )  # fmt: skip

    unpack: list[str] | None = option(
        None, "TASK=FORM",
        "Values packed in 8-bit colours: depth=rgb24:0.001 (R highest; a 1 is 0.001 m), depth=bgr24:0..1000m "
        f"(0 and the largest value are these), depth=alpha (of rgb); forms {', '.join(packing.FORMS)}; "
        "repeatable.",
        panel=IMAGES,
    )  # fmt: skip

    pattern: str = option(
        "", "TEMPLATE",
        "How paths in the dataset are read, in place of what is told by itself: "
        "'{scene}/{task}_{camera}/{frame}.{ext}'; all fields but task and ext make a scene's name, * and **/ "
        "stand for anything.",
        panel=IMAGES,
    )  # fmt: skip

    def reading(self) -> Reading:
        """What the options say, for whatever finds scenes."""
        forms = texts.assignments(self.unpack or [], "a form of packed values")
        return Reading(self.exif, {task: packing.parse(form) for task, form in forms}, self.pattern)


class NamingOptions(Group):
    """Which tasks there are, and what their images are called."""

    declarations: list[str] | None = option(
        None, "NAME:KIND[:CHANNELS]",
        f"What an image is, e.g. albedo:image or ids:categories; kinds {', '.join(KINDS)}; "
        "repeatable. What nobody declares is kept exactly.",
        "--task", panel=IMAGES, sets="tasks", parse=texts.declarations,
    )  # fmt: skip
    other_names: list[str] | None = option(
        None, "FILE=TASK", "Another name of a task, e.g. color=rgb; repeatable.", "--rename", panel=IMAGES
    )

    def tasks_by_name(self) -> dict[str, str]:
        """Tasks by other names of their files."""
        return dict(texts.assignments(self.other_names or [], "another name"))


class ImageOptions(NamingOptions):
    """Tasks, and what their stored values mean."""

    units: list[str] | None = option(
        None, "TASK=LENGTH",
        "What one stored step means, e.g. depth=0.2mm, noted in the file; default: 1mm (integers), "
        "1m (floats).",
        "--unit", panel=IMAGES, sets="units", parse=texts.units,
    )  # fmt: skip
    hole_values: list[str] | None = option(
        None, "TASK=VALUE",
        "A stored value that means a hole, e.g. depth=9999 or normal=255,255,255; repeatable. Holes "
        "come back exactly. Known without it: 0, the largest integer, NaN, infinity, negative and far "
        "depth, zero vectors. none: only what is not finite.",
        "--invalid", panel=IMAGES, sets="usual_holes invalid", parse=texts.hole_values,
    )  # fmt: skip


# --- of encoding -------------------------------------------------------------------------------------

_WORDS = ", ".join(f"{word} ({quality:g})" for word, quality in WORDS.items())


class QualityOptions(Group):
    """The quality of scenes, and of single tasks."""

    quality: list[str] | None = option(
        None, "Q",
        f"0 to 100, or {_WORDS} (about 37, 41, 45 and 47 dB in rgb of photographs); "
        f"depth=80 or depth=high for one task; repeatable; default: {DEFAULT:g}.",
        words=tuple(WORDS), sets="quality task_quality", parse=texts.qualities,
    )  # fmt: skip


class BoundOptions(Group):
    """By how much single tasks may be off."""

    max_error: list[str] | None = option(
        None, "TASK=VALUE",
        "No pixel is off by more, on any machine: depth=5mm, or rgb=2 in stored values; repeatable.",
    )  # fmt: skip
    lossless: list[str] | None = option(
        None, "TASKS", "These come back exactly, e.g. depth,normal; repeatable."
    )

    def settings(self) -> dict[str, Any]:
        """Both options set one field: what is lossless has a bound of 0."""
        return {"max_error": texts.bounds(self.max_error or [], ",".join(self.lossless or []))}


class CodingOptions(Group):
    """How scenes are coded."""

    coding: str = option(
        Request.coding, "CODING",
        "auto: networks or AV1 for each task, whatever costs least; neural: networks for all tasks "
        "that they know; classical: never networks.",
        panel=CODING, words=CODING_CHOICES, sets="coding",
    )  # fmt: skip
    effort: str = option(
        Request.effort, "EFFORT", "fast, normal, or best, which tries more settings at slower speeds.",
        panel=CODING, words=EFFORTS, sets="effort",
    )  # fmt: skip
    weights: str = option(
        "auto", "WEIGHTS", panel=CODING,
        help="Name or path of the weights of networks; auto: the best of all that are installed.",
    )  # fmt: skip


class EncodingOptions(CodingOptions):
    """How scenes are coded, and what is noted in their files."""

    measures: bool = option(
        False, None, "Note PSNR and other measures in the file, for info to show.",
        panel=CODING, sets="measures",
    )  # fmt: skip


def request_of(*groups: Group, weights: str | None = None) -> Request:
    """What the options of ``groups`` ask for; ``weights`` may declare more tasks than the usual ones.

    Raises:
        UsageError: a value that makes no sense.
        WeightsError: the weights are not there, or are none.
    """
    declared: Declarations = USUAL
    if weights is not None:
        from mtcodec.codec.api import tasks_of
        from mtcodec.networks.weights import store

        declared = tasks_of(store.resolve(weights))
    settings: dict[str, Any] = {}
    for group in groups:
        settings |= group.settings()
    return Request(**{**settings, "tasks": {**declared, **settings.get("tasks", {})}})
