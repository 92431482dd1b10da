"""What is wanted of a file."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from mtcodec.errors import UsageError
from mtcodec.quality import DEFAULT
from mtcodec.tasks import USUAL, Declarations, task_named, units
from mtcodec.tasks.kinds import Values

CODING_CHOICES = ("auto", "neural", "classical")
EFFORTS = ("fast", "normal", "best")
ALWAYS_TOLD = ("quality", "coding", "effort")  # also where they are the defaults
PER_TASK_FIELDS = ("task_quality", "max_error", "invalid", "target_psnr", "units")  # settings of single tasks
Invalid = Mapping[str, Sequence[Values]]
"""By task, stored values of holes besides the usual ones."""

MAX_BOUND = 1e30  # of errors; more allows anything that float32 holds


@dataclass(frozen=True)
class Request:
    """How a scene is to be encoded. The command line, ``pack`` and the Python functions share these defaults.

    Attributes:
        quality: 0 (smallest) to 100 (best); it stands for λ, see :mod:`mtcodec.quality`.
        task_quality: other qualities for single tasks.
        max_error: by task, by how much a stored value may be off at most, whatever the quality, as a number
            or as a length such as ``"5mm"``; 0 is lossless.
        invalid: stored values of holes besides the usual ones (:mod:`mtcodec.signals.holes`).
        usual_holes: False: only values of ``invalid`` and those that are not finite are holes.
        target_psnr: by task, dB to reach with the lowest quality.
        target_bytes: the best quality within so many bytes; 0: none.
        best_effort: take the nearest file where a target is out of reach, instead of raising TargetError.
        coding: ``auto``: what costs least, task by task; ``neural``: networks for every task they know;
            ``classical``: never networks.
        effort: ``fast``, ``normal`` (one classical encoding a task), ``best`` (tries several).
        tasks: declarations of tasks; those not declared are kept exactly, but for
            those of cameras (:func:`mtcodec.tasks.task_named`).
        units: by task, the length of one stored step, to be noted in the file.
        measures: note PSNR and so on in the file.
        numbers: tasks that are numbers and no images, such as poses: arrays of up to two dimensions, kept
            exactly. Those of less than two dimensions are numbers without being named.
        attach: contents by name of small files to keep beside the images, 64 kB in all.
    """

    quality: float = DEFAULT
    task_quality: Mapping[str, float] = field(default_factory=dict)
    max_error: Mapping[str, float | str] = field(default_factory=dict)
    invalid: Invalid = field(default_factory=dict)
    usual_holes: bool = True
    target_psnr: Mapping[str, float] = field(default_factory=dict)
    target_bytes: int = 0
    best_effort: bool = False
    coding: str = "auto"
    effort: str = "normal"
    tasks: Declarations = field(default_factory=lambda: USUAL)
    units: Mapping[str, str] = field(default_factory=dict)
    measures: bool = False
    numbers: Collection[str] = ()
    attach: Mapping[str, bytes] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for value in (self.quality, *self.task_quality.values()):
            if not 0 <= value <= 100:
                raise UsageError(f"quality must be 0 to 100, not {value}")
        for word, words in ((self.coding, CODING_CHOICES), (self.effort, EFFORTS)):
            if word not in words:
                raise UsageError(f"not {word!r}, but one of {', '.join(words)}")
        if self.target_psnr and self.target_bytes:
            raise UsageError("a PSNR and a number of bytes: only one of them can be the target")
        for name, bound in self.max_error.items():
            if not 0 <= (units.parse(bound)[0] if isinstance(bound, str) else bound) <= MAX_BOUND:
                raise UsageError(f"not a bound of errors: {bound}", task=name)
        for name, unit in self.units.items():
            number, suffix = units.parse(unit)
            if not suffix or number == 0:
                raise UsageError(f"a unit is a length in mm, cm or m, not {unit!r}", task=name)

    def for_tasks(self, tasks: Collection[str], dataset_units: Mapping[str, str] = {}) -> Request:
        """The same without settings of other tasks than ``tasks``; for datasets whose scenes differ.

        ``dataset_units`` are those that a dataset tells, for tasks of lengths without a unit in the request.
        """
        fields: dict[str, Any] = {
            name: {task: value for task, value in getattr(self, name).items() if task in tasks}
            for name in PER_TASK_FIELDS
        }
        declared = {task: task_named(task, self.tasks) for task in dataset_units if task in tasks}
        dataset_defaults = {
            name: dataset_units[name] for name, task in declared.items() if task and task.kind.length
        }
        fields["units"] = {**dataset_defaults, **fields["units"]}
        return replace(self, **fields)

    def to_json(self) -> dict[str, Any]:
        """Whatever is not the default, and ALWAYS_TOLD, as JSON gives it back; all that changes a file.

        Of declarations those that are not the usual ones. Without contents of attached files.
        """
        defaults = vars(Request())
        values = {
            name: value
            for name, value in vars(self).items()
            if name not in ("tasks", "attach") and (name in ALWAYS_TOLD or value != defaults[name])
        }
        declared = {name: task.to_json() for name, task in self.tasks.items() if USUAL.get(name) != task}
        if declared:
            values["tasks"] = declared
        stored: dict[str, Any] = json.loads(json.dumps(values, default=dict))
        return stored

    def tasks_named(self) -> set[str]:
        """Tasks that have settings of their own."""
        return {task for name in PER_TASK_FIELDS for task in getattr(self, name)}
