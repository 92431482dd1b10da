"""The sections of a file as a page lists them."""

from __future__ import annotations

from dataclasses import dataclass

from mtcodec.container.section import ATTACHMENTS, NOTES, is_mask
from mtcodec.view import colours
from mtcodec.view.scene import SceneView


@dataclass(frozen=True)
class SectionRow:
    """A section in the list of bytes; ``coding`` is "" where there is none to name."""

    name: str
    bytes: int
    coding: str
    colour: str


def section_rows(scene: SceneView) -> list[SectionRow]:
    """All that a file consists of: header, what tasks share, tasks as they are shown, notes and files."""
    shown_tasks = [task.name for task in scene.tasks]
    tasks = shown_tasks + [name for name in scene.facts["tasks"] if name not in shown_tasks]
    rows = [SectionRow("header", int(scene.facts["overhead_bytes"]), "", colours.SECTION_COLOURS["header"])]
    for section in sorted(scene.facts["sections"], key=lambda section: _place(section["name"], tasks)):
        name = section["name"]
        if name in tasks:
            colour = colours.of_task(tasks.index(name))
        else:
            colour = colours.SECTION_COLOURS["holes" if is_mask(name) else name]
        label = "holes" if name == "holes0" else name
        rows.append(SectionRow(label, section["bytes"], section.get("coding", ""), colour))
    return rows


def _place(name: str, tasks: list[str]) -> int:
    """Where a section stands in the list: before the tasks, at a task's place, or after them."""
    if name in tasks:
        return tasks.index(name) + 1
    return len(tasks) + 1 if name in (NOTES, ATTACHMENTS) else 0
