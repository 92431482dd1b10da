"""Options that several commands share: one declaration, one help text."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from mtcodec.errors import UsageError
from mtcodec.format.quality import DEFAULT
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


Output = Annotated[Path | None, typer.Option("-o", "--output", help="Output file; - is standard output.")]
Force = Annotated[bool, typer.Option("--force", help="Overwrite existing output.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Quiet = Annotated[bool, typer.Option("-q", "--quiet", help="Print nothing but errors.")]
Threads = Annotated[int, typer.Option("--threads", min=0, max=1024, help="Threads; 0 takes all cores.")]
Device = Annotated[
    str,
    typer.Option(
        "--device", callback=_device("cpu", "cuda"),
        help="Where networks run: cpu, or cuda, which needs mtcodec\\[train].",
    ),
]  # fmt: skip
TrainingDevice = Annotated[
    str, typer.Option("--device", callback=_device("auto", "cpu", "cuda"), help="auto, cpu or cuda.")
]
Dataset = Annotated[
    Path, typer.Argument(metavar="DATASET", help="Directory of scenes in any layout of encode --help.")
]
FileOrArchive = Annotated[
    str, typer.Argument(metavar="FILE|ARCHIVE", help="An .mtc file (- is standard input), or an archive.")
]
File = Annotated[str, typer.Argument(metavar="FILE", help="An .mtc file; - is standard input.")]
FilesFrom = Annotated[
    str, typer.Option("--files-from", metavar="FILE", help="More of them, one a line; - is standard input.")
]
MaxPixels = Annotated[
    int,
    typer.Option(
        "--max-pixels", min=0,
        help="Refuse images of more pixels, which take memory and time; 0: the format's limit, 2^28.",
    ),
]  # fmt: skip
Only = Annotated[str, typer.Option("--tasks", help="Only these, e.g. rgb,depth; default: all.")]
MoreWeights = Annotated[
    str, typer.Option("--weights", help="Weights besides the installed ones: names or paths.")
]

# --- of encoding -------------------------------------------------------------------------------------

Tasks = Annotated[str, typer.Option("--tasks", help="Only these, e.g. rgb,depth; default: all images.")]
TaskDeclarations = Annotated[
    list[str] | None,
    typer.Option(
        "--task", metavar="NAME:KIND[:CHANNELS]",
        help=f"What an image is, e.g. albedo:image or ids:categories; kinds {', '.join(KINDS)}; repeatable. "
        "What nobody declares is kept exactly.",
    ),
]  # fmt: skip
Names = Annotated[
    list[str] | None,
    typer.Option("--name", metavar="FILE=TASK", help="Another name of a task, e.g. color=rgb; repeatable."),
]
Quality = Annotated[
    list[str] | None,
    typer.Option(
        "--quality", help=f"0 to 100 (default {DEFAULT:g}), or task=0..100 for one task; repeatable."
    ),
]
Invalid = Annotated[
    list[str] | None,
    typer.Option(
        "--invalid", metavar="TASK=VALUE",
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
Lossless = Annotated[str, typer.Option("--lossless", help="Tasks that come back exactly, e.g. depth,normal.")]
Unit = Annotated[
    list[str] | None,
    typer.Option(
        "--unit", metavar="TASK=LENGTH",
        help="What one stored step means, e.g. depth=0.2mm, noted in the file; default: 1mm (integers), "
        "1m (floats).",
    ),
]  # fmt: skip
Coding = Annotated[
    str,
    typer.Option(
        "--coding",
        help="auto: networks or AV1 for each task, whatever costs least; neural: networks for all tasks that "
        "they know; classical: never networks.",
    ),
]  # fmt: skip
Effort = Annotated[
    str, typer.Option("--effort", help="fast, normal, or best, which tries more settings at slower speeds.")
]
Weights = Annotated[
    str,
    typer.Option("--weights", help="Name or path of the weights; auto: the best of all that are installed."),
]
Measures = Annotated[
    bool, typer.Option("--measures", help="Note the measures of every task in the file (info shows them).")
]
