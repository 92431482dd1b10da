"""What a scene's file is made of: names, sizes and times of its images, and settings.

Of an image the ends are read as well: files that are made at once may have one size and one time.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from mtcodec.files.scene import tasks_of_image
from mtcodec.files.sources import ImageSource
from mtcodec.files.trees.search import SceneFiles

Origin = dict[str, Any]
"""Plain values, equal after a round trip through JSON, without directories: datasets may move."""
NONE = "none"
END_BYTES = 4096  # of a file, at its beginning and at its end


def origin_of(
    scene: SceneFiles, tasks: Sequence[str] | None = None, settings: Mapping[str, Any] = {}
) -> Origin:
    """What a file of ``scene`` would be made of now.

    Args:
        tasks: those that are read, see :func:`mtcodec.files.scene.read_scene`.
        settings: all others that change the file, as JSON gives them back.
    """
    names = {name: tasks_of_image(name, tasks) for name in scene.files}
    return {
        "scene": scene.key,
        "tasks": sorted(task for task_names in names.values() for task in task_names),
        "images": {name: _facts(source) for name, source in sorted(scene.files.items()) if names[name]},
        "attached": {name: _facts(path) for name, path in sorted(scene.attachments.items())},
        "units": {name: unit for name, unit in sorted(scene.units.items()) if names.get(name)},
        "settings": {**settings, **scene.reading.settings()},
    }


def origin_of_frames(
    key: str,
    frames: Sequence[SceneFiles],
    numbers: Iterable[Path] = (),
    tasks: Sequence[str] | None = None,
    settings: Mapping[str, Any] = {},
) -> Origin:
    """The same of a sequence: of all images of a task, their bytes together and a checksum of their facts.

    Args:
        numbers: files of numbers by frame.
    """
    origins = [origin_of(frame, tasks, settings) for frame in frames]
    facts_of: dict[str, list[list[Any]]] = {}
    for origin in origins:
        for kind in ("images", "attached"):
            for name, facts in origin[kind].items():
                facts_of.setdefault(name if kind == "images" else kind, []).append([origin["scene"], *facts])
    attached = {path.name: _facts(path) for path in numbers}
    if "attached" in facts_of:
        attached["frames"] = _summed(facts_of.pop("attached"))
    return {
        "scene": key,
        "tasks": sorted({task for origin in origins for task in origin["tasks"]}),
        "images": {name: _summed(facts) for name, facts in sorted(facts_of.items())},
        "attached": attached,
        "units": {name: unit for origin in origins for name, unit in origin["units"].items()},
        "settings": origins[0]["settings"],
    }


def _summed(facts: Sequence[Sequence[Any]]) -> list[Any]:
    """The facts of many files as those of one."""
    checksum = zlib.crc32(repr(facts).encode())
    return [f"{len(facts)} files", sum(size or 0 for _, _, size, *_ in facts), None, checksum]


def difference(past: Origin, now: Origin) -> str:
    """How a file was ``made``, for people, where that is otherwise than ``now``; else nothing."""
    if past == now:
        return ""
    if past["scene"] != now["scene"]:
        return f"made of scene {past['scene']}, not {now['scene']}"
    if past["tasks"] != now["tasks"]:
        return f"made with tasks {_listed(past['tasks'])}, not {_listed(now['tasks'])}"
    for name, facts in now["images"].items():
        if facts != past["images"][name]:
            return f"made of another {name} image: {_changed(past['images'][name], facts)}"
    if past["attached"].keys() != now["attached"].keys():
        names = _listed(past["attached"])
        return f"made with the attached files {names}, not {_listed(now['attached'])}"
    for name, facts in now["attached"].items():
        if facts != past["attached"][name]:
            return f"made of another attached file: {_changed(past['attached'][name], facts)}"
    if past["units"] != now["units"]:
        return f"made with units {_listed(past['units'].values())}, not {_listed(now['units'].values())}"
    changed_settings = _changed_settings(past["settings"], now["settings"])
    return f"made with other settings: {changed_settings}" if changed_settings else "made by another release"


def _facts(source: ImageSource) -> list[Any]:
    """Name, bytes, time (ns) and checksum of both ends of a file; of an image in a file of many, that file's.

    Nothing but the name of one that cannot be read: reading it tells what is wrong.
    """
    path = source if isinstance(source, Path) else source.file
    name = source.name if isinstance(source, Path) else f"{path.name}: {source.name}"
    try:
        status = path.stat()
        with path.open("rb") as file:
            ends = file.read(END_BYTES)
            file.seek(max(file.tell(), status.st_size - END_BYTES))
            ends += file.read(END_BYTES)
    except OSError:
        return [name, None, None, None]
    return [name, status.st_size, status.st_mtime_ns, zlib.crc32(ends)]


def _listed(names: Iterable[object]) -> str:
    return ", ".join(map(str, names)) or NONE


def _changed(past: Sequence[Any], now: Sequence[Any]) -> str:
    """How the :func:`_facts` of a file differ."""
    if past[0] != now[0]:
        return f"{past[0]}, not {now[0]}"
    if now[1] is None:
        return f"{now[0]} cannot be read now"
    if past[1] != now[1]:
        return f"{past[0]} had {past[1]} bytes, not {now[1]}"
    return f"{past[0]} had another {'content' if past[3] != now[3] else 'time of change'}"


def _changed_settings(past: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    """``quality 40, not 60; max_error default, not depth=0``."""
    names = [name for name in {**now, **past} if past.get(name) != now.get(name)]
    return "; ".join(f"{name} {_text(past.get(name))}, not {_text(now.get(name))}" for name in names)


def _text(setting: Any) -> str:
    """``default``, ``40``, ``depth=0.005,rgb=3``."""
    if isinstance(setting, Mapping):
        return ",".join(f"{task}={_text(value)}" for task, value in setting.items()) or NONE
    if isinstance(setting, float):
        return f"{setting:g}"
    return "default" if setting is None else str(setting)
