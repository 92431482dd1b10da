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
