"""WebDataset shards to an archive and back: tar files of ``KEY.TASK.png``, one scene's members in a row.

python docs/recipes/webdataset_shards.py pack SHARD.tar... -o ARCHIVE [--quality Q] [--coding neural]
python docs/recipes/webdataset_shards.py unpack ARCHIVE -o SHARDS [--tasks depth] [--scenes 1000]
"""

from __future__ import annotations

import argparse
import io
import itertools
import tarfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import imagecodecs
import numpy as np

from mtcodec.archive.decode import scenes
from mtcodec.archive.pack import Job, pack_scenes
from mtcodec.archive.read import ArchiveReader
from mtcodec.codec.request import Request
from mtcodec.networks.weights import store


def scenes_of(
    shards: Iterable[Path], tasks: Sequence[str] | None = None
) -> Iterator[tuple[str, dict[str, np.ndarray]]]:
    """(key, images by task) of every scene; members that are no PNG, or of other ``tasks``, are ignored."""
    for shard in shards:
        key, scene = "", {}
        with tarfile.open(shard) as tar:
            for member in tar:
                base, _, rest = member.name.rpartition("/")[2].partition(".")
                member_key = f"{member.name.rpartition('/')[0]}/{base}".lstrip("/")
                if member_key != key and scene:
                    yield key, scene
                    scene = {}
                key = member_key
                task, _, suffix = rest.partition(".")
                file = tar.extractfile(member)
                if file is not None and suffix == "png" and (tasks is None or task in tasks):
                    scene[task] = imagecodecs.png_decode(file.read())
        if scene:
            yield key, scene


def write_shards(reader: ArchiveReader, output: Path, tasks: list[str], per_shard: int) -> int:
    """Write ``output``/00000.tar, 00001.tar, … and return the number of scenes."""
    output.mkdir(parents=True, exist_ok=True)
    decoded = scenes(reader, tasks)
    count = 0
    for first in decoded:
        with tarfile.open(output / f"{count // per_shard:05d}.tar", "w") as tar:
            for key, scene in itertools.chain([first], itertools.islice(decoded, per_shard - 1)):
                for task, image in scene.items():
                    data = bytes(imagecodecs.png_encode(image))
                    member = tarfile.TarInfo(f"{key}.{task}.png")
                    member.size = len(data)
                    tar.addfile(member, io.BytesIO(data))
                count += 1
    return count


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("what", choices=["pack", "unpack"])
    parser.add_argument("inputs", nargs="+", type=Path)
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--weights", default="general")
    parser.add_argument("--quality", type=float, default=60.0)
    parser.add_argument("--coding", default="auto")
    parser.add_argument("--tasks", default="")
    parser.add_argument("--scenes", type=int, default=1000, help="of a shard")
    arguments = parser.parse_args()
    if arguments.what == "pack":
        names = (arguments.tasks or "rgb,depth,normal,semantic").split(",")
        request = Request(arguments.quality, coding=arguments.coding)
        job = Job(store.find(arguments.weights), tuple(names), request)
        summary = pack_scenes(scenes_of(arguments.inputs, names), arguments.output, job)
        print(f"{arguments.output}: {summary.scenes} scenes, {summary.total} bytes")
    else:
        reader = ArchiveReader(arguments.inputs[0])
        names = arguments.tasks.split(",") if arguments.tasks else list(reader.manifest.task_names)
        count = write_shards(reader, arguments.output, names, arguments.scenes)
        print(f"{arguments.output}: {count} scenes")


if __name__ == "__main__":
    main()
