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
from mtcodec.files.listing import Files, add
from mtcodec.files.notes import Note, some
from mtcodec.tasks import ALIASES, USUAL, Declarations
from mtcodec.tasks.task import NAME, RESERVED

GIVEN, OWN, PLURAL, ALIAS, UNKNOWN = 0, 1, 2, 3, 1000  # ranks; aliases have 3 and up, in their order
MAX_NAME = 31  # characters
HDR = "color_hdr"  # what colours of floats are called, which have no largest value
_RANKS = {alias: rank for rank, alias in enumerate(ALIASES, ALIAS)}
_CUT = re.compile(r"[_\-. ]+|(?<=[A-Za-z])(?=\d)")
_DOMAIN = re.compile(r"(point_\d+_view_\d+)_domain_(\w+)")


@lru_cache(1 << 16)
def clean(name: str) -> str:
    """A possible name of a task that is like ``name``: lower case, digits and ``_``."""
    plain = re.sub("[^a-z0-9_]", "_", name.lower())
    return ("_" + plain if plain[:1].isdigit() or RESERVED.fullmatch(plain) else plain)[:MAX_NAME]


def cuts(stem: str) -> Iterator[tuple[str, str]]:
    """Both sides of each place where a key and a task's name may meet: ``0001_rgb``, ``rgb-01``, ``rgb1``."""
    for cut in _CUT.finditer(stem):
        left, right = stem[: cut.start()], stem[cut.end() :]
        if left and right:
            yield left, right


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

    def given(self, name: str) -> bool:
        """Does the caller say what ``name`` means?"""
        return self.rank(name)[0] == GIVEN

    def rank(self, name: str) -> tuple[int, str]:
        """How sure it is what ``name`` means (0 is surest), and the task."""
        plain = clean(name)
        for given in (name, plain):
            if given in self._names:
                self._unused.discard(given)
                return GIVEN, self._names[given]
        # a usual task may stand for another one where that is absent: depth_euclidean
        if plain in self.declared and (plain not in ALIASES or plain not in USUAL):
            return OWN, plain
        single = plain.removesuffix("s")
        if single in self.declared and single not in ALIASES:
            return PLURAL, single
        for alias in (plain, single):
            if ALIASES.get(alias) in self.declared:
                return _RANKS[alias], ALIASES[alias]
        return UNKNOWN, plain

    def knows(self, name: str) -> bool:
        """Does ``name`` stand for a declared task, or did the caller say what it is?"""
        return self.rank(name)[0] < UNKNOWN

    def are_of_tasks(self, stems: list[str]) -> bool:
        """Is one of these a task's own name, or do they tell several tasks: ``1_rgb 1_depth``?"""
        if any(self.rank(stem)[0] <= OWN for stem in stems):
            return True
        parts = (self.split(stem) for stem in stems)
        ranks = {self.rank(part[1]) for part in parts if part}
        return sum(rank <= OWN for rank, _ in ranks) > 1

    def assign(self, items: Iterable[tuple[str, str]]) -> Files:
        """Paths by task, in order of tasks, of the names and paths of what makes up one scene or dataset.

        Raises:
            SceneError: two for one task; the message names both.
        """
        found: Files = {}
        holders: dict[str, str] = {}
        for (rank, task), name, path in sorted((self.rank(name), name, path) for name, path in items):
            if PLURAL <= rank < UNKNOWN and task in found and holders[task] != name:
                if clean(name) not in self.declared:
                    self._note(f"{name} keeps its name, as {task} is there: {holders[task]}")
                rank, task = UNKNOWN, clean(name)
            elif ALIAS <= rank < UNKNOWN:
                self._note(f"{name} is read as {task} (--name {name}={clean(name)} keeps its name)")
            if rank == UNKNOWN and task != name:
                self._note(f"{name} is called {task}, as a task's name must be")
            add(found, task, path, task)
            holders[task] = name
        return dict(sorted(found.items()))

    def split(self, stem: str) -> tuple[str, str] | None:
        """The key of a scene and the name of a known task: of ``0001_rgb``, ``0001`` and ``rgb``.

        Names of their own go before others, longer ones before shorter ones.
        """
        domain = _DOMAIN.fullmatch(stem)
        if domain:
            return domain[1], domain[2]
        found: list[tuple[bool, int, int, str, str]] = []
        for left, right in cuts(stem):
            for key, name in ((left, right), (right, left)):
                rank, _ = self.rank(name)
                if rank < UNKNOWN:
                    found.append((max(rank, OWN) > OWN, -len(name), len(found), key, name))
        if not found:
            return None
        *_, key, name = min(found)
        return key, name

    def key(self, stem: str) -> str:
        """The key of an image in a directory of its task: without what Taskonomy's names say of the task."""
        domain = _DOMAIN.fullmatch(stem)
        return domain[1] if domain else stem

    def short_key(self, stem: str, directory: str) -> str:
        """The key without the task of the ``directory`` at its end or beginning: ``rgb/0001_rgb.png``."""
        task = self.rank(directory)[1]
        for left, right in cuts(self.key(stem)):
            for key, name in ((left, right), (right, left)):
                if self.rank(name)[1] == task:
                    return key
        return self.key(stem)

    def tell_unused(self) -> None:
        """Say which of the caller's names nothing has."""
        if self._unused:
            self._note(f"nothing is called {some(sorted(self._unused))} (--name)")
