"""Options that several commands share: each is declared once, with its text of help and what it sets.

Options that belong together are a :class:`~mtcodec.cli.groups.Group`. Annotations are evaluated when the
module is imported, which takes less time than to compile them from text later.
"""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from mtcodec.cli import values
from mtcodec.cli.common import note
from mtcodec.cli.groups import Group, Sets
from mtcodec.codec.request import CODING_CHOICES, EFFORTS, Request
from mtcodec.errors import UsageError
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


def device_check(*devices: str) -> Callable[[str], str]:
    """A function that returns the name of a device, or raises UsageError if it is not one of ``devices``."""

    def check(name: str) -> str:
        if name not in devices:
            raise UsageError(f"device must be {', '.join(devices[:-1])} or {devices[-1]}, not {name!r}")
        return name

    return check


def one_of(*words: str) -> Callable[[], list[str]]:
    """Values that a shell completes."""
    return lambda: list(words)


# --- of any command ----------------------------------------------------------------------------------

Force = Annotated[bool, typer.Option("--force", help="Overwrite existing output.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Quiet = Annotated[bool, typer.Option("-q", "--quiet", help="Print nothing but warnings and errors.")]
Threads = Annotated[
    int,
    typer.Option(
        "--threads", metavar="N", min=0, max=1024, show_default="one for every core",
        help="Threads of one scene; 0: one for every core.", rich_help_panel=MACHINE,
    ),
]  # fmt: skip
Device = Annotated[
    str,
    typer.Option(
        "--device", metavar="DEVICE", callback=device_check("cpu", "cuda"),
        autocompletion=one_of("cpu", "cuda"), rich_help_panel=MACHINE,
        help="Where networks run: cpu, or cuda, which needs mtcodec\\[train].",
    ),
]  # fmt: skip
TrainingDevice = Annotated[
    str,
    typer.Option(
        "--device", metavar="DEVICE", callback=device_check("auto", "cpu", "cuda"), rich_help_panel=MACHINE,
        help="cpu, cuda, or auto: cuda where there is one.", autocompletion=one_of("auto", "cpu", "cuda"),
    ),
]  # fmt: skip
MaxPixels = Annotated[
    int,
    typer.Option(
        "--max-pixels", metavar="N", min=0, show_default="2^28, the format's limit", rich_help_panel=MACHINE,
        help="Refuse images of more pixels, which take memory and time.",
    ),
]  # fmt: skip
Jobs = Annotated[
    int,
    typer.Option(
        "-j", "--jobs", metavar="N", min=0, max=1024, rich_help_panel=MANY,
        help="Processes, each of which works on scenes; 0: one for every core.",
    ),
]  # fmt: skip
Limit = Annotated[
    int, typer.Option("--limit", metavar="N", min=0, show_default="all", help="Only the first N scenes.")
]
MoreWeights = Annotated[
    str,
    typer.Option(
        "--weights", metavar="WEIGHTS", rich_help_panel=CODING,
        help="Names or paths of weights that files may need besides the installed ones.",
    ),
]  # fmt: skip


class PrintOptions(Group):
    """What is printed."""

    as_json: Json = False
    quiet: Quiet = False

    def note(self, message: str) -> None:
        """Print a note, unless none are wanted."""
        if not self.quiet:
            note(message)


class MachineOptions(Group):
    """Where and by how many threads scenes are coded."""

    threads: Threads = 0
    device: Device = "cpu"


class ClusterOptions(Group):
    """Processes that share the work on an archive."""

    workers: Annotated[
        int,
        typer.Option(
            "--workers", metavar="N", min=0, max=1024, show_default="one for every core",
            help="Processes.", rich_help_panel=MACHINE,
        ),
    ] = 0  # fmt: skip
    engine: Annotated[
        str,
        typer.Option(
            "--engine", metavar="ENGINE", rich_help_panel=MACHINE, autocompletion=one_of("local", "ray"),
            help="local: processes of this machine; ray: the cluster of RAY_ADDRESS, see docs/archives.md.",
        ),
    ] = "local"  # fmt: skip


# --- of inputs ---------------------------------------------------------------------------------------

Dataset = Annotated[Path, typer.Argument(metavar="DATASET", help="Scenes in any layout of encode --help.")]
FileOrArchive = Annotated[
    str, typer.Argument(metavar="FILE|ARCHIVE", help="An .mtc file (- is standard input), or an archive.")
]
Archive = Annotated[str, typer.Argument(metavar="ARCHIVE", help="A directory, or a URL (s3://, https://).")]
OnlyTasks = Annotated[
    str, typer.Option("--tasks", metavar="TASKS", help="Only these, e.g. rgb,depth; default: all.")
]
TasksToEncode = Annotated[
    str, typer.Option("--tasks", metavar="TASKS", help="Only these, e.g. rgb,depth; default: all images.")
]
Attach = Annotated[
    list[str] | None,
    typer.Option(
        "--attach", metavar="NAME",
        help="A small file to keep in each scene's file and to give back beside its images: camera.json in "
        "the directory of the scene's images, pose/{key}.txt, or any other path; repeatable, 64 kB in all.",
    ),
]  # fmt: skip


class BatchOptions(Group):
    """Of commands that encode many scenes."""

    skip_errors: Annotated[
        bool,
        typer.Option(
            "--skip-errors", help="Go on past scenes that cannot be encoded; exit code 1.",
            rich_help_panel=MANY,
        ),
    ] = False  # fmt: skip
    files_from: Annotated[
        str,
        typer.Option(
            "--files-from", metavar="FILE", help="More of them, one a line; - is standard input.",
            rich_help_panel=MANY,
        ),
    ] = ""  # fmt: skip


class NamingOptions(Group):
    """Which tasks there are, and what their images are called."""

    declarations: Annotated[
        list[str] | None,
        typer.Option(
            "--task", metavar="NAME:KIND[:CHANNELS]", rich_help_panel=IMAGES,
            help=f"What an image is, e.g. albedo:image or ids:categories; kinds {', '.join(KINDS)}; "
            "repeatable. What nobody declares is kept exactly.",
        ),
        Sets("tasks", parse=values.declarations),
    ] = None  # fmt: skip
    other_names: Annotated[
        list[str] | None,
        typer.Option(
            "--name", metavar="FILE=TASK", help="Another name of a task, e.g. color=rgb; repeatable.",
            rich_help_panel=IMAGES,
        ),
    ] = None  # fmt: skip

    def tasks_by_name(self) -> dict[str, str]:
        """Tasks by other names of their files.

        Raises:
            UsageError: a value that is not ``FILE=TASK``.
        """
        return dict(values.assignments(self.other_names or [], "another name"))


class ImageOptions(NamingOptions):
    """Tasks, and what their stored values mean."""

    units: Annotated[
        list[str] | None,
        typer.Option(
            "--unit", metavar="TASK=LENGTH", rich_help_panel=IMAGES,
            help="What one stored step means, e.g. depth=0.2mm, noted in the file; default: 1mm (integers), "
            "1m (floats).",
        ),
        Sets("units", parse=values.units),
    ] = None  # fmt: skip
    hole_values: Annotated[
        list[str] | None,
        typer.Option(
            "--invalid", metavar="TASK=VALUE", rich_help_panel=IMAGES,
            help="A stored value that means a hole, e.g. depth=9999 or normal=255,255,255; repeatable. Holes "
            "come back exactly. Known without it: 0, the largest integer, NaN, infinity and far planes in "
            "depth, zero vectors. none: only what is not finite.",
        ),
        Sets("usual_holes", "invalid", parse=values.hole_values),
    ] = None  # fmt: skip


# --- of encoding -------------------------------------------------------------------------------------

_WORDS = ", ".join(f"{word} ({quality:g})" for word, quality in WORDS.items())


class QualityOptions(Group):
    """The quality of scenes, and of single tasks."""

    quality: Annotated[
        list[str] | None,
        typer.Option(
            "--quality", metavar="Q", autocompletion=one_of(*WORDS),
            help=f"0 to 100, or {_WORDS} (about 37, 41, 45 and 47 dB in rgb of photographs); "
            f"depth=80 or depth=high for one task; repeatable; default: {DEFAULT:g}.",
        ),
        Sets("quality", "task_quality", parse=values.qualities),
    ] = None  # fmt: skip


class BoundOptions(Group):
    """By how much single tasks may be off."""

    max_error: Annotated[
        list[str] | None,
        typer.Option(
            "--max-error", metavar="TASK=VALUE",
            help="No pixel is off by more, on any machine: depth=5mm, or rgb=2 in stored values; repeatable.",
        ),
    ] = None  # fmt: skip
    lossless: Annotated[
        str, typer.Option("--lossless", metavar="TASKS", help="These come back exactly, e.g. depth,normal.")
    ] = ""  # fmt: skip

    def settings(self) -> dict[str, Any]:
        """Both options set one field: what is lossless has a bound of 0."""
        return {"max_error": values.bounds(self.max_error or [], self.lossless)}


class CodingOptions(Group):
    """How scenes are coded."""

    coding: Annotated[
        str,
        typer.Option(
            "--coding", metavar="CODING", rich_help_panel=CODING, autocompletion=one_of(*CODING_CHOICES),
            help="auto: networks or AV1 for each task, whatever costs least; neural: networks for all tasks "
            "that they know; classical: never networks.",
        ),
        Sets("coding"),
    ] = Request.coding  # fmt: skip
    effort: Annotated[
        str,
        typer.Option(
            "--effort", metavar="EFFORT", rich_help_panel=CODING, autocompletion=one_of(*EFFORTS),
            help="fast, normal, or best, which tries more settings at slower speeds.",
        ),
        Sets("effort"),
    ] = Request.effort  # fmt: skip
    weights: Annotated[
        str,
        typer.Option(
            "--weights", metavar="WEIGHTS", rich_help_panel=CODING,
            help="Name or path of the weights of networks; auto: the best of all that are installed.",
        ),
    ] = "auto"  # fmt: skip


class EncodingOptions(CodingOptions):
    """How scenes are coded, and what is noted in their files."""

    measures: Annotated[
        bool,
        typer.Option(
            "--measures", help="Note PSNR and other measures in the file, for info to show.",
            rich_help_panel=CODING,
        ),
        Sets("measures"),
    ] = False  # fmt: skip


def request_of(*groups: Group, declared: Declarations = USUAL) -> Request:
    """What the options of ``groups`` ask for; ``declared`` are tasks besides those that they declare.

    Raises:
        UsageError: a value that makes no sense.
    """
    settings: dict[str, Any] = {}
    for group in groups:
        settings |= group.settings()
    return Request(**{**settings, "tasks": {**declared, **settings.get("tasks", {})}})
