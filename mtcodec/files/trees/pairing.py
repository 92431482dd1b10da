"""Tasks whose images are named otherwise: which belong together, or that none do.

After a dataset is read, each of its tasks should share scenes with others. Where tasks do not, one rule that
makes the names of all their images equal joins them, and a line shows it. Otherwise they are refused, as
scenes of one task each are not what anybody wants, but where all are named after times.
"""

from __future__ import annotations

import os
import re
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Sequence

from mtcodec.errors import SceneError
from mtcodec.files.notes import list_names
from mtcodec.files.trees.search import SceneFiles, Search
from mtcodec.files.trees.times import times_of_names
from mtcodec.tasks import is_place

Rule = Callable[[Sequence[str]], Sequence[str]]
"""Keys of the images of a task to names that other tasks may share."""

MIN_SHARE = 0.9  # of the images of the rarer task, that a rule must join
MAX_STRAY_SHARE = 0.1  # of the scenes, that may have one task which meets no other: a line tells of them
SPLITS = ("train", "test", "val", "valid", "validation", "training", "testing")  # never names of tasks


def _by_characters(keys: Sequence[str]) -> Sequence[str]:
    return [unicodedata.normalize("NFKC", key).casefold() for key in keys]


def _by_numbers(keys: Sequence[str]) -> Sequence[str]:
    return [re.sub(r"\d+", lambda digits: str(int(digits[0])), key) for key in _by_characters(keys)]


def _without_common_words(keys: Sequence[str]) -> Sequence[str]:
    """Keys without the words, and the letters before numbers, that all of them have at the same place."""
    split = [re.split(r"[_\-. /]+", key) for key in _by_numbers(keys)]
    count = min(map(len, split))
    common = {}
    for place in range(-count, 0):
        letters = {re.match(r"[^\W\d_]*", words[place])[0] for words in split}  # type: ignore[index]
        word = next(iter(letters))
        if len(letters) == 1 and not is_place(word) and word not in SPLITS:
            common[place] = len(word)
    return [
        "/".join(
            filter(None, (word[common.get(place, 0) :] for place, word in zip(range(-len(words), 0), words)))
        )
        for words in split
    ]


RULES: tuple[tuple[str, Rule], ...] = (
    ("in other characters", _by_characters),
    ("by their numbers", _by_numbers),
    ("without the words that all names of a task have", _without_common_words),
)


def pair(search: Search, scenes: list[SceneFiles]) -> list[SceneFiles]:
    """``scenes``, where tasks share scenes; else joined by the first of :data:`RULES` that fits.

    Directories and files that are scenes say by themselves what belongs together.

    Raises:
        SceneError: tasks share few or no scenes, and no rule joins them.
    """
    groups = _groups([scene for scene in scenes if scene.key not in search.whole_keys])
    lonely = [group for group in groups if all(len(scene.files) == 1 for scene in group)]
    if lonely and len(groups) > 1:
        to_join = [groups[0], *(group for group in lonely if group is not groups[0])]
        to_join.sort(key=lambda group: "rgb" not in group[0].files)
        joined = next(filter(None, (_join(search, to_join, rule, words) for words, rule in RULES)), None)
        if joined is not None:
            keys = {scene.key for group in to_join for scene in group}
            scenes = [scene for scene in scenes if scene.key not in keys] + joined
        elif sum(map(len, lonely)) > MAX_STRAY_SHARE * len(scenes) and not _have_times(to_join):
            raise SceneError(_nothing_meets(search, to_join), path=search.dataset)
    _note_single_tasks(search, scenes)
    return scenes


def _have_times(groups: Sequence[Sequence[SceneFiles]]) -> bool:
    """Are all images named after seconds? Tasks of other rates or clocks are then scenes of their own."""
    names = [[scene.key.rpartition("/")[2] for scene in group] for group in groups]
    return all(times_of_names(group) is not None for group in names)


def _groups(scenes: Sequence[SceneFiles]) -> list[list[SceneFiles]]:
    """Scenes by tasks that share scenes: at least half of those of the rarer of two tasks.

    Those of several tasks first, then those with colours, then larger ones.
    """
    counts: defaultdict[str, int] = defaultdict(int)
    together: defaultdict[tuple[str, str], int] = defaultdict(int)
    for scene in scenes:
        for task in scene.files:
            counts[task] += 1
            for other in scene.files:
                together[task, other] += 1
    group_of = {task: task for task in counts}
    for (task, other), shared in together.items():
        if 2 * shared >= min(counts[task], counts[other]):
            old, new = group_of[task], group_of[other]
            group_of = {name: new if group == old else group for name, group in group_of.items()}
    groups: defaultdict[str, list[SceneFiles]] = defaultdict(list)
    for scene in scenes:
        name = "rgb" if "rgb" in scene.files else next(iter(scene.files))
        groups[group_of[name]].append(scene)
    return sorted(groups.values(), key=_order)


def _order(group: Sequence[SceneFiles]) -> tuple[bool, bool, int]:
    return all(len(scene.files) == 1 for scene in group), "rgb" not in group[0].files, -len(group)


def _join(search: Search, groups: list[list[SceneFiles]], rule: Rule, words: str) -> list[SceneFiles]:
    """Scenes of all groups under the names of the first one; none unless the rule joins each group to it."""
    by_name: dict[str, SceneFiles] = {}
    examples: dict[int, str] = {}  # of each group
    for number, group in enumerate(groups):
        names = rule([scene.key for scene in group])
        shared = sum(name in by_name for name in names)
        if (
            "" in names
            or len({*names}) < len(names)
            or (number and shared < MIN_SHARE * min(len(names), len(by_name)))
        ):
            return []
        for name, scene in zip(names, group):
            first = by_name.setdefault(name, scene)
            if first is scene:
                continue
            if first.files.keys() & scene.files.keys():
                return []
            examples[number] = f"{_shown(search, scene)} belongs to {_shown(search, first)}, {words}"
            by_name[name] = first.with_files_of(scene)
    for example in examples.values():
        search.note(example)
    return list(by_name.values())


def _shown(search: Search, scene: SceneFiles) -> str:
    """The path of an image of a scene within the dataset."""
    return os.path.relpath(str(next(iter(scene.files.values()))), search.dataset)


def _nothing_meets(search: Search, groups: list[list[SceneFiles]]) -> str:
    """The message for tasks that do not share scenes; it shows two images that do not meet."""
    first, second = (min(group, key=lambda scene: len(scene.files)) for group in groups[:2])
    one, other = (next(iter(scene.files)) for scene in (first, second))
    return (
        f"{one} and {other} have few names in common, or none: {_shown(search, first)} and "
        f"{_shown(search, second)} do not meet (--pattern '{{scene}}/{{task}}/{{frame}}.{{ext}}' says how "
        "paths are to be read; encode tasks that do not belong together one by one)"
    )


def _note_single_tasks(search: Search, scenes: Sequence[SceneFiles]) -> None:
    """Say how many scenes have one task where others have more."""
    single = [scene for scene in scenes if len(scene.files) == 1]
    if single and len({task for scene in scenes for task in scene.files}) > 1:
        names = list_names([f"{next(iter(scene.files))} of {scene.key}" for scene in single])
        search.note(f"{len(single)} of {len(scenes)} scenes have one task only: {names}")
