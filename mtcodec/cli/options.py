"""Options that several commands share: one declaration, one help text."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from mtcodec.codec.request import CODINGS, EFFORTS
from mtcodec.errors import UsageError
from mtcodec.quality import DEFAULT, WORDS
from mtcodec.tasks import KINDS


def number(value: float | None) -> float | None:
    """``value``; bad usage where it is NaN, which lies within any limits."""
    if value is not None and math.isnan(value):
        raise typer.BadParameter("not a number")
    return value


def _device(*known: str) -> Callable[[str], str]:
    """What checks the name of a device."""

    def check(name: str) -> str:
        if name not in known:
            raise UsageError(f"device must be {', '.join(known[:-1])} or {known[-1]}, not {name!r}")
        return name

    return check


# Groups of a command's help; what has none comes first.
IMAGES = "What the images are"
MANY = "Many scenes"
TARGETS = "Targets instead of a quality"
CODING = "Coding (the defaults are right for most)"
MACHINE = "Machine"


def one_of(*words: str) -> Callable[[], list[str]]:
    """Values that a shell completes."""
    return lambda: list(words)


Output = Annotated[
    Path | None, typer.Option("-o", "--output", metavar="OUT", help="Output file; - is standard output.")
]
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
        "--device", metavar="DEVICE", callback=_device("cpu", "cuda"), autocompletion=one_of("cpu", "cuda"),
        help="Where networks run: cpu, or cuda, which needs mtcodec\\[train].", rich_help_panel=MACHINE,
    ),
]  # fmt: skip
TrainingDevice = Annotated[
    str,
    typer.Option(
        "--device", metavar="DEVICE", callback=_device("auto", "cpu", "cuda"), rich_help_panel=MACHINE,
        help="cpu, cuda, or auto: cuda where there is one.", autocompletion=one_of("auto", "cpu", "cuda"),
    ),
]  # fmt: skip
Dataset = Annotated[Path, typer.Argument(metavar="DATASET", help="Scenes in any layout of encode --help.")]
FileOrArchive = Annotated[
    str, typer.Argument(metavar="FILE|ARCHIVE", help="An .mtc file (- is standard input), or an archive.")
]
File = Annotated[str, typer.Argument(metavar="FILE", help="An .mtc file; - is standard input.")]
FilesFrom = Annotated[
    str,
    typer.Option(
        "--files-from", metavar="FILE", help="More of them, one a line; - is standard input.",
        rich_help_panel=MANY,
    ),
]  # fmt: skip
MaxPixels = Annotated[
    int,
    typer.Option(
        "--max-pixels", metavar="N", min=0, show_default="2^28, the format's limit", rich_help_panel=MACHINE,
        help="Refuse images of more pixels, which take memory and time.",
    ),
]  # fmt: skip
Limit = Annotated[
    int, typer.Option("--limit", metavar="N", min=0, show_default="all", help="Only the first N scenes.")
]
Workers = Annotated[
    int,
    typer.Option(
        "--workers", metavar="N", min=0, max=1024, show_default="one for every core", help="Processes.",
        rich_help_panel=MACHINE,
    ),
]  # fmt: skip
Engine = Annotated[
    str,
    typer.Option(
        "--engine", metavar="ENGINE", rich_help_panel=MACHINE,
        autocompletion=one_of("local", "ray"),
        help="local: processes of this machine; ray: the cluster of RAY_ADDRESS, see docs/archives.md.",
    ),
]  # fmt: skip
SkipErrors = Annotated[
    bool,
    typer.Option(
        "--skip-errors", help="Go on past scenes that cannot be encoded; exit code 1.", rich_help_panel=MANY
    ),
]
Jobs = Annotated[
    int,
    typer.Option(
        "-j", "--jobs", metavar="N", min=0, max=1024, rich_help_panel=MANY,
        help="Processes, each of which works on scenes; 0: one for every core.",
    ),
]  # fmt: skip
Only = Annotated[
    str, typer.Option("--tasks", metavar="TASKS", help="Only these, e.g. rgb,depth; default: all.")
]
MoreWeights = Annotated[
    str,
    typer.Option(
        "--weights", metavar="WEIGHTS", rich_help_panel=CODING,
        help="Names or paths of weights that files may need besides the installed ones.",
    ),
]  # fmt: skip

# --- of encoding -------------------------------------------------------------------------------------

Tasks = Annotated[
    str, typer.Option("--tasks", metavar="TASKS", help="Only these, e.g. rgb,depth; default: all images.")
]
TaskDeclarations = Annotated[
    list[str] | None,
    typer.Option(
        "--task", metavar="NAME:KIND[:CHANNELS]", rich_help_panel=IMAGES,
        help=f"What an image is, e.g. albedo:image or ids:categories; kinds {', '.join(KINDS)}; repeatable. "
        "What nobody declares is kept exactly.",
    ),
]  # fmt: skip
Names = Annotated[
    list[str] | None,
    typer.Option(
        "--name", metavar="FILE=TASK", help="Another name of a task, e.g. color=rgb; repeatable.",
        rich_help_panel=IMAGES,
    ),
]  # fmt: skip
_WORDS = ", ".join(f"{word} ({quality:g})" for word, quality in WORDS.items())
Quality = Annotated[
    list[str] | None,
    typer.Option(
        "--quality", metavar="Q", autocompletion=one_of(*WORDS),
        help=f"0 to 100, or {_WORDS} (about 37, 41, 45 and 47 dB in rgb of photographs); "
        f"depth=80 or depth=high for one task; repeatable; default: {DEFAULT:g}.",
    ),
]  # fmt: skip
Invalid = Annotated[
    list[str] | None,
    typer.Option(
        "--invalid", metavar="TASK=VALUE", rich_help_panel=IMAGES,
        help="A stored value that means a hole, e.g. depth=9999 or normal=255,255,255; repeatable. Holes "
        "come back exactly. Known without it: 0, the largest integer, NaN, infinity and far planes in depth, "
        "zero vectors. none: only what is not finite.",
    ),
]  # fmt: skip
MaxError = Annotated[
    list[str] | None,
    typer.Option(
        "--max-error", metavar="TASK=VALUE",
        help="No pixel is off by more, on any machine: depth=5mm, or rgb=2 in stored values; repeatable.",
    ),
]  # fmt: skip
Lossless = Annotated[
    str, typer.Option("--lossless", metavar="TASKS", help="These come back exactly, e.g. depth,normal.")
]
Unit = Annotated[
    list[str] | None,
    typer.Option(
        "--unit", metavar="TASK=LENGTH", rich_help_panel=IMAGES,
        help="What one stored step means, e.g. depth=0.2mm, noted in the file; default: 1mm (integers), "
        "1m (floats).",
    ),
]  # fmt: skip
Attach = Annotated[
    list[str] | None,
    typer.Option(
        "--attach", metavar="NAME",
        help="A small file to keep in each scene's file and to give back beside its images: camera.json in "
        "the directory of the scene's images, pose/{key}.txt, or any other path; repeatable, 64 kB in all.",
    ),
]  # fmt: skip
Coding = Annotated[
    str,
    typer.Option(
        "--coding", metavar="CODING", rich_help_panel=CODING, autocompletion=one_of(*CODINGS),
        help="auto: networks or AV1 for each task, whatever costs least; neural: networks for all tasks that "
        "they know; classical: never networks.",
    ),
]  # fmt: skip
Effort = Annotated[
    str,
    typer.Option(
        "--effort", metavar="EFFORT", rich_help_panel=CODING, autocompletion=one_of(*EFFORTS),
        help="fast, normal, or best, which tries more settings at slower speeds.",
    ),
]  # fmt: skip
Weights = Annotated[
    str,
    typer.Option(
        "--weights", metavar="WEIGHTS", rich_help_panel=CODING,
        help="Name or path of the weights of networks; auto: the best of all that are installed.",
    ),
]  # fmt: skip
Measures = Annotated[
    bool,
    typer.Option(
        "--measures", help="Note PSNR and other measures in the file, for info to show.",
        rich_help_panel=CODING,
    ),
]  # fmt: skip
