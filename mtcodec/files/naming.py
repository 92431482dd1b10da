"""Which task an image or a directory stands for, by its name.

In this order: what the caller says (``color=rgb``), names of declared tasks in lower or upper case, their
plurals (``normals``), other names of them (``color`` is ``rgb``, :data:`mtcodec.tasks.ALIASES`). The last two
count only where nothing has the task's own name. Any other name is one of a task that nobody declared.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache

from mtcodec.errors import UsageError
from mtcodec.files.listing import Files, add_file
from mtcodec.files.notes import Note, list_names
from mtcodec.tasks import ALIASES, USUAL, Declarations
from mtcodec.tasks.task import NAME, RESERVED

# how sure it is what a name means; 0 is surest
RANK_CALLER = 0  # the caller says it
RANK_TASK_NAME = 1
RANK_PLURAL = 2
RANK_ALIAS = 3  # the first of the aliases; the others follow in their order
RANK_UNKNOWN = 1000
_ALIAS_RANKS = {alias: rank for rank, alias in enumerate(ALIASES, RANK_ALIAS)}

MAX_NAME_LENGTH = 31  # characters
HDR_TASK = "color_hdr"  # what colours of floats are called, which have no largest value
_SEPARATOR = re.compile(r"[_\-. ]+|(?<=[A-Za-z])(?=\d)")
_TASKONOMY_STEM = re.compile(r"(point_\d+_view_\d+)_domain_(\w+)")  # the key and the task


@lru_cache(1 << 16)
def clean_name(name: str) -> str:
    """A possible name of a task that is like ``name``: lower case, digits and ``_``."""
    plain = re.sub("[^a-z0-9_]", "_", name.lower())
    return ("_" + plain if plain[:1].isdigit() or RESERVED.fullmatch(plain) else plain)[:MAX_NAME_LENGTH]


def splits(stem: str) -> Iterator[tuple[str, str]]:
    """Keys and names of tasks that a stem may consist of: ``0001_rgb``, ``rgb-01``, ``rgb1``.

    At each place where they may meet, from left to right: first the key on the left, then that on the right.
    """
    for separator in _SEPARATOR.finditer(stem):
        left, right = stem[: separator.start()], stem[separator.end() :]
        if left and right:
            yield left, right
            yield right, left


class Naming:
    """Names of one dataset.

    Args:
        declared: tasks that are known.
        names: tasks by names of files (without suffix) or directories; they go before everything else.
        note: takes a line for every other name and every changed one; equal lines come again and again.

    Raises:
        UsageError: ``names`` gives a name that no task can have.
    """

    def __init__(self, declared: Declarations, names: Mapping[str, str], note: Note) -> None:
        for name, task in names.items():
            if not NAME.fullmatch(task) or RESERVED.fullmatch(task):
                raise UsageError(f"not a task name: {task!r}, given for {name!r}")
        self.declared, self._names, self._note = declared, names, note
        self._unused = set(names)

    def is_renamed(self, name: str) -> bool:
        """Does the caller say what ``name`` means?"""
        return self.meaning(name)[0] == RANK_CALLER

    def meaning(self, name: str) -> tuple[int, str]:
        """The rank, how sure it is what ``name`` means, and the task.

        A name of the caller's that is asked for counts as used, see :meth:`Naming.note_unused`.
        """
        plain = clean_name(name)
        for callers_name in (name, plain):
            if callers_name in self._names:
                self._unused.discard(callers_name)
                return RANK_CALLER, self._names[callers_name]
        # a usual task may stand for another one where that is absent: depth_euclidean
        if plain in self.declared and (plain not in ALIASES or plain not in USUAL):
            return RANK_TASK_NAME, plain
        singular = plain.removesuffix("s")
        if singular in self.declared and singular not in ALIASES:
            return RANK_PLURAL, singular
        for alias in (plain, singular):
            if ALIASES.get(alias) in self.declared:
                return _ALIAS_RANKS[alias], ALIASES[alias]
        return RANK_UNKNOWN, plain

    def knows(self, name: str) -> bool:
        """Does ``name`` stand for a declared task, or did the caller say what it is?"""
        return self.meaning(name)[0] < RANK_UNKNOWN

    def are_of_tasks(self, stems: list[str]) -> bool:
        """Is one of these a task's own name, or do they tell several tasks: ``1_rgb 1_depth``?"""
        if any(self.meaning(stem)[0] <= RANK_TASK_NAME for stem in stems):
            return True
        keys_and_names = (self.split(stem) for stem in stems)
        meanings = {self.meaning(pair[1]) for pair in keys_and_names if pair}
        return sum(rank <= RANK_TASK_NAME for rank, _ in meanings) > 1

    def assign(self, items: Iterable[tuple[str, str]]) -> Files:
        """Paths by task, in order of tasks, of the names and paths of what makes up one scene or dataset.

        Raises:
            SceneError: two for one task; the message names both.
        """
        paths: Files = {}
        names: dict[str, str] = {}  # of the files in ``paths``, by task
        for (rank, task), name, path in sorted((self.meaning(name), name, path) for name, path in items):
            if RANK_PLURAL <= rank < RANK_UNKNOWN and task in paths and names[task] != name:
                if clean_name(name) not in self.declared:
                    self._note(f"{name} keeps its name, as {task} is there: {names[task]}")
                rank, task = RANK_UNKNOWN, clean_name(name)
            elif RANK_ALIAS <= rank < RANK_UNKNOWN:
                self._note(f"{name} is read as {task} (--name {name}={clean_name(name)} keeps its name)")
            if rank == RANK_UNKNOWN and task != name:
                self._note(f"{name} is called {task}, as a task's name must be")
            add_file(paths, task, path, task)
            names[task] = name
        return dict(sorted(paths.items()))

    def split(self, stem: str) -> tuple[str, str] | None:
        """The key of a scene and the name of a known task: of ``0001_rgb``, ``0001`` and ``rgb``.

        Tasks' own names go before others, longer names before shorter ones.
        """
        taskonomy = _TASKONOMY_STEM.fullmatch(stem)
        if taskonomy:
            return taskonomy[1], taskonomy[2]
        ranks = {pair: self.meaning(pair[1])[0] for pair in splits(stem)}
        known = [pair for pair, rank in ranks.items() if rank < RANK_UNKNOWN]
        return min(known, key=lambda pair: (ranks[pair] > RANK_TASK_NAME, -len(pair[1])), default=None)

    def key(self, stem: str) -> str:
        """The key of an image in a directory of its task: without what Taskonomy's names say of the task."""
        taskonomy = _TASKONOMY_STEM.fullmatch(stem)
        return taskonomy[1] if taskonomy else stem

    def short_key(self, stem: str, directory: str) -> str:
        """The key without the task of the ``directory`` at its end or beginning: ``rgb/0001_rgb.png``."""
        task = self.meaning(directory)[1]
        whole_key = self.key(stem)
        return next((key for key, name in splits(whole_key) if self.meaning(name)[1] == task), whole_key)

    def note_unused(self) -> None:
        """Say which of the caller's names nothing has."""
        if self._unused:
            self._note(f"nothing is called {list_names(sorted(self._unused))} (--name)")
