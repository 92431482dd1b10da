"""WebDataset shards to an archive and back: tar files of ``KEY.TASK.png``, one scene's members in a row.

python docs/recipes/webdataset_shards.py pack SHARD.tar... -o ARCHIVE [--weights NAME] [--quality Q]
python docs/recipes/webdataset_shards.py unpack ARCHIVE -o SHARDS [--tasks depth] [--scenes 1000]
"""

from __future__ import annotations

import argparse
import io
import itertools
import tarfile
from collections.abc import Iterable, Iterator
from pathlib import Path

import imagecodecs
import numpy as np

from mtcodec.archive.pack import Job, pack_scenes
from mtcodec.archive.read import Opened
from mtcodec.archive.unpack import codec_of, decode
from mtcodec.codec.choice import Request
from mtcodec.tasks import task as tasks
from mtcodec.weights import store as weights


def scenes_of(shards: Iterable[Path]) -> Iterator[tuple[str, dict[str, np.ndarray]]]:
    """(key, images by task) of every scene; members that are no PNG of a known task are ignored."""
    for shard in shards:
        key, scene = "", {}
        with tarfile.open(shard) as tar:
            for member in tar:
                base, _, rest = member.name.rpartition("/")[2].partition(".")
                found = f"{member.name.rpartition('/')[0]}/{base}".lstrip("/")
                if found != key and scene:
                    yield key, scene
                    scene = {}
                key = found
                task, _, suffix = rest.partition(".")
                file = tar.extractfile(member)
                if file is not None and suffix == "png" and task in tasks.names():
                    scene[task] = imagecodecs.png_decode(file.read())
        if scene:
            yield key, scene


def write_shards(archive: Opened, output: Path, wanted: list[str], per_shard: int) -> int:
    """Write ``output``/00000.tar, 00001.tar, … and return the number of scenes."""
    output.mkdir(parents=True, exist_ok=True)
    codec = codec_of(archive)
    groups = (archive.entries(group, wanted) for group in archive.groups)
    scenes = itertools.chain.from_iterable(decode(codec, entries, wanted) for entries in groups)
    count = 0
    for first in scenes:
        with tarfile.open(output / f"{count // per_shard:05d}.tar", "w") as tar:
            for key, scene in itertools.chain([first], itertools.islice(scenes, per_shard - 1)):
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
    parser.add_argument("--tasks", default="")
    parser.add_argument("--scenes", type=int, default=1000, help="of a shard")
    arguments = parser.parse_args()
    if arguments.what == "pack":
        names = arguments.tasks or "rgb,depth,normal,semantic"
        request = Request(arguments.quality, coding="neural")
        job = Job(weights.find(arguments.weights), tuple(tasks.parse(names)), request)
        settings = {"quality": arguments.quality, "coding": "neural"}
        summary = pack_scenes(scenes_of(arguments.inputs), arguments.output, job, settings=settings)
        print(f"{arguments.output}: {summary.scenes} scenes, {summary.total} bytes")
    else:
        archive = Opened(arguments.inputs[0])
        wanted = arguments.tasks.split(",") if arguments.tasks else [t.name for t in archive.about.tasks]
        count = write_shards(archive, arguments.output, wanted, arguments.scenes)
        print(f"{arguments.output}: {count} scenes")


if __name__ == "__main__":
    main()
