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
from mtcodec.files.notes import Note, list_names
from mtcodec.files.trees.listing import Files, add_file
from mtcodec.tasks import ALIASES, USUAL, Declarations, camera_parts, task_named
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
MIN_INNER_LENGTH = 3  # characters of a task's name within a stem: shorter ones stand there by chance
_TASKONOMY_STEM = re.compile(r"(point_\d+_view_\d+)_domain_(\w+)")  # the key and the task


@lru_cache(1 << 16)
def clean_name(name: str) -> str:
    """A possible name of a task that is like ``name``: lower case, digits and ``_``."""
    plain = re.sub("[^a-z0-9_]", "_", name.lower())
    return ("_" + plain if plain[:1].isdigit() or RESERVED.fullmatch(plain) else plain)[:MAX_NAME_LENGTH]


def is_number(name: str) -> bool:
    """Has it no letters?"""
    return not any(character.isalpha() for character in name)


def splits(stem: str) -> Iterator[tuple[str, str]]:
    """Keys and names of tasks that a stem may consist of: ``0001_rgb``, ``rgb-01``, ``rgb1``, ``cam_rgb_01``.

    At each place where they may meet, from left to right: first the key on the left, then that on the right.
    Then names that parts of the key stand around, of which the right one has a digit.
    """
    spans = [(0, 0), *(separator.span() for separator in _SEPARATOR.finditer(stem)), (len(stem), len(stem))]
    inner = spans[1:-1]
    for start, end in inner:
        if start and end < len(stem):
            yield stem[:start], stem[end:]
            yield stem[end:], stem[:start]
    for number, (left, start) in enumerate(inner, 1):
        for end, right in spans[number + 1 : -1]:
            if left and end - start >= MIN_INNER_LENGTH and any(map(str.isdigit, stem[right:])):
                yield stem[:left] + stem[end:], stem[start:end]


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
        self.declared, self.renamed, self._note = declared, names, note
        self._unused = set(names)

    def is_of_lengths(self, task: str) -> bool:
        """Has a declared task, or a camera's, values that are lengths?"""
        declaration = task_named(task, self.declared)
        return declaration is not None and declaration.kind.length

    def is_renamed(self, name: str) -> bool:
        """Does the caller say what ``name`` means?"""
        return self.meaning(name)[0] == RANK_CALLER

    def meaning(self, name: str) -> tuple[int, str]:
        """The rank, how sure it is what ``name`` means, and the task.

        A name of the caller's that is asked for counts as used, see :meth:`Naming.note_unused`.
        """
        plain = clean_name(name)
        for callers_name in (name, plain):
            if callers_name in self.renamed:
                self._unused.discard(callers_name)
                return RANK_CALLER, self.renamed[callers_name]
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

    def assign(self, items: Iterable[tuple[str, str]], short_names: Mapping[str, str] = {}) -> Files:
        """Paths by task, in order of tasks, of the names and paths of what makes up one scene or dataset.

        ``short_names``: what names mean without what all of them say: ``raw_depth`` is ``depth``.

        Raises:
            SceneError: two for one task; the message names both.
        """
        paths: Files = {}
        names: dict[str, str] = {}  # of the files in ``paths``, by task
        meanings = ((self._short_meaning(name, short_names), name, path) for name, path in items)
        for (rank, task), name, path in sorted(meanings):
            if RANK_PLURAL <= rank < RANK_UNKNOWN and task in paths and names[task] != name:
                if clean_name(name) not in self.declared:
                    self._note(f"{name} keeps its name, as {task} is there: {names[task]}")
                rank, task = RANK_UNKNOWN, clean_name(name)
            elif RANK_ALIAS <= rank < RANK_UNKNOWN:
                self._note(f"{name} is read as {task} (--rename {name}={clean_name(name)} keeps its name)")
            if rank == RANK_UNKNOWN and task != name:
                self._note(f"{name} is called {task}, as a task's name must be")
            add_file(paths, task, path, task)
            names[task] = name
        return dict(sorted(paths.items()))

    def _short_meaning(self, name: str, short_names: Mapping[str, str]) -> tuple[int, str]:
        rank, task = self.meaning(name)
        if rank < RANK_UNKNOWN or name not in short_names:
            return rank, task
        rank, task = self.meaning(short_names[name])
        return max(rank, RANK_ALIAS), task

    def camera_parts(self, name: str) -> tuple[str, str] | None:
        """The camera and the task of ``front_rgb``, see :func:`mtcodec.tasks.camera_parts`."""
        return None if self.knows(name) else camera_parts(clean_name(name), self.declared)

    def split(self, stem: str) -> tuple[str, str] | None:
        """The key of a scene and the name of a known task: of ``0001_rgb``, ``0001`` and ``rgb``.

        Tasks' own names go before others, longer names before shorter ones, and before those that are parts
        of them: ``semantic_segmentation_0001`` is of scene ``0001``.
        """
        taskonomy = _TASKONOMY_STEM.fullmatch(stem)
        if taskonomy:
            return taskonomy[1], taskonomy[2]
        ranks = {pair: self.meaning(pair[1])[0] for pair in splits(stem)}
        known = [pair for pair, rank in ranks.items() if rank < RANK_UNKNOWN]
        whole = [(key, name) for key, name in known if not any(name != n and name in n for _, n in known)]
        return min(whole, key=lambda pair: (ranks[pair] > RANK_TASK_NAME, -len(pair[1])), default=None)

    def key(self, path: str) -> str:
        """The key of an image in a directory of its task: without what Taskonomy's names say of the task."""
        directory, slash, stem = path.rpartition("/")
        taskonomy = _TASKONOMY_STEM.fullmatch(stem)
        return directory + slash + taskonomy[1] if taskonomy else path

    def short_key(self, path: str, directory: str) -> str:
        """The key without what says the task of the ``directory``, in the stem and in directories.

        ``rgb/0001_rgb.png`` is ``0001``; ``kitti_rgb/scene1/rgb/1.png`` is ``scene1/1``.
        """
        parts = self.camera_parts(directory)
        tasks = {self.meaning(name)[1] for name in (directory, *(parts or ()))}
        *parents, stem = self.key(path).split("/")
        parents = [name for name in parents if self.meaning(name)[1] not in tasks]
        short = [pair for pair in splits(stem) if self.meaning(pair[1])[1] in tasks]
        stem, _ = max(short, key=lambda pair: len(pair[1]), default=(stem, ""))
        return "/".join((*parents, stem))

    def note_unused(self) -> None:
        """Say which of the caller's names nothing has."""
        if self._unused:
            self._note(f"nothing is called {list_names(sorted(self._unused))} (--rename)")
