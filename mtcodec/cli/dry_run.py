"""What ``encode --dry-run`` prints: how a dataset is understood."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from mtcodec.cli import report
from mtcodec.cli.common import show
from mtcodec.errors import MtcodecError

if TYPE_CHECKING:
    from mtcodec.codec.request import Request
    from mtcodec.files.formats.base import Shape
    from mtcodec.files.trees.layouts import SceneFiles
    from mtcodec.files.trees.sequences import SequenceFiles

MAX_SHOWN = 5  # scenes, whose images' headers are read

Row = list[str]
HEAD = ["file", "task", "image", "size", "values", "kind", "unit"]


def print_plan(
    scenes: Sequence[SceneFiles], paths: Sequence[Path], there: Collection[Path],
    task_names: Sequence[str] | None, request: Request, as_json: bool,
) -> None:  # fmt: skip
    """Print the first scenes with their images, and how many there are; as JSON, all of them."""
    if as_json:
        for scene, path in zip(scenes, paths):
            images = {task: str(image) for task, image in scene.files.items() if _is_wanted(task, task_names)}
            facts = {
                "scene": scene.key, "file": str(path), "there": path in there, "images": images,
                "left_out": [task for task in scene.files if task not in images],
                "attached": {name: str(attached) for name, attached in scene.attachments.items()},
                "units": dict(scene.units),
            }  # fmt: skip
            show(facts, [], as_json)
        return
    rows = [HEAD]
    for scene, path in list(zip(scenes, paths))[:MAX_SHOWN]:
        is_there = [[str(path), "", "is there already", "", "", "", ""]]
        rows += is_there if path in there else _rows(scene, path, task_names, request)
    for line in report.columns(rows):
        typer.echo(line)
    if len(scenes) > MAX_SHOWN:
        typer.echo(f"and {report.counted(len(scenes) - MAX_SHOWN)} more, the last is {scenes[-1].key}")
    all_there = f", {len(there)} there already" * bool(there)
    typer.echo(f"{report.counted(len(paths) - len(there))} to encode{all_there}")


def print_sequence_plan(
    sequences: Sequence[SequenceFiles], paths: Sequence[Path], there: Collection[Path],
    task_names: Sequence[str] | None, request: Request, as_json: bool,
) -> None:  # fmt: skip
    """Print the first sequences with the images of their first frames; as JSON, all with all frames."""
    for sequence, path in list(zip(sequences, paths))[: None if as_json else MAX_SHOWN]:
        facts = {
            "sequence": sequence.key, "file": str(path), "there": path in there,
            "frames": list(sequence.names),
            "tasks": [task for task in sequence.tasks if _is_wanted(task, task_names)],
            "times": {task: [t and float(t) for t in times] for task, times in sequence.times.items()},
        }  # fmt: skip
        timed = f", times of {', '.join(sequence.times)}" * bool(sequence.times)
        is_there = ", is there already" * (path in there)
        lines = [f"{path}: {report.counted(len(sequence.names), 'frame')}{timed}{is_there}"]
        rows = [HEAD, *_rows(sequence.frames[0], Path(sequence.names[0]), task_names, request)]
        show(facts, [*lines, *report.columns(rows)], as_json)
    if as_json:
        return
    if len(sequences) > MAX_SHOWN:
        typer.echo(
            f"and {report.counted(len(sequences) - MAX_SHOWN, 'sequence')} more, "
            f"the last is {sequences[-1].key}"
        )
    typer.echo(f"{report.counted(len(paths) - len(there), 'sequence')} to encode")


def _is_wanted(task: str, task_names: Sequence[str] | None) -> bool:
    return task_names is None or task in task_names


def _rows(scene: SceneFiles, path: Path, task_names: Sequence[str] | None, request: Request) -> Iterator[Row]:
    """A line for each image and attached file; the first one has the file that is to be made."""
    names = [str(path)]
    for task, image in scene.files.items():
        if _is_wanted(task, task_names):
            facts = _facts(scene, task, request)
        else:
            facts = ["left out", "", "", ""]
        yield [names.pop() if names else "", task, image.name, *facts]
    for name in scene.attachments:
        yield ["", "", f"+{name}", "", "", "", ""]


def _facts(scene: SceneFiles, task: str, request: Request) -> Row:
    """Size, values, kind and unit of an image; what is wrong where its header cannot be read."""
    from mtcodec.files.scene import read_shapes
    from mtcodec.tasks import KINDS, task_named, units

    try:
        shape: Shape | None = read_shapes(scene, [task]).get(task)
    except MtcodecError:
        return ["unreadable", "", "", ""]
    if shape is None:
        return ["there is none", "", "", ""]
    declaration = task_named(task, request.tasks)
    values = shape.dtype + f" ×{shape.channels}" * (shape.channels > 1)
    unit = ""
    if declaration is not None and declaration.kind.length:
        said = request.units.get(task) or (scene.units.get(task, "") if "int" in shape.dtype else "")
        unit = said or f"{units.unit_of(declaration, shape.dtype)}, assumed"
    kind = declaration.kind if declaration is not None else KINDS["data"]
    return [f"{shape.width}×{shape.height}", values, kind.name, unit]
