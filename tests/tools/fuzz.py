"""Mutated files and archives into the decoder: all end in images, in named losses, or in a refusal.

    python tests/tools/fuzz.py [--files 100000] [--seconds S] [--seed 0] [--keep DIR]

Seeds are files of every coding, made with small untrained weights and with others. Mutations know the
format: bytes flipped, cut and spliced; lengths, sizes, ranges, codings and weights forged under right
checksums; payloads cut, exchanged between sections and files, or replaced by noise under right checksums; the
same of an archive's rows, and bytes of its Parquet files (``rows.py``). A worker decodes them; a case that
takes it more than LIMIT_S seconds or LIMIT_BYTES more memory, raises anything else, or kills it, is kept.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import multiprocessing
import random
import struct
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from fractions import Fraction
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))
from shared.rows import ROW_OUTCOMES, flip_bits, mutated_part, mutated_row, part_from
from shared.samples import crop
from shared.sections import file_of
from shared.targets import LIMIT_BYTES, LIMIT_S, MAX_PIXELS, check_frames, check_group_pixels, peak, sealed

from mtcodec import Codec
from mtcodec.codec.prepare import Scene
from mtcodec.codec.timeline import Timeline
from mtcodec.coders import classical
from mtcodec.coders.coding_modes import CODING_MODES
from mtcodec.container import frames as frame_payloads
from mtcodec.container.frames import Frames
from mtcodec.container.header import Header, parse
from mtcodec.container.mtc import Reader, build, split
from mtcodec.container.section import (
    CODINGS,
    DEFAULT_RANGES,
    DTYPES,
    EXTRA_SECTIONS,
    IMAGE,
    SHAPES,
    Section,
)
from mtcodec.errors import FormatError, MtcodecError, SectionError, WeightsNotFound
from mtcodec.signals.signal import Signal
from mtcodec.tasks import USUAL

START_TIMEOUT_S = 60.0  # of a worker
CASE_TIMEOUT_S = 20.0
SECTION_NAMES = ("rgb", "depth", "normal", "semantic", "smell", "holes0", "notes", "files")
SUFFIXES = {"file": ".mtc", "row": ".row", "part": ".parquet"}  # by kind of case

# --- seeds -------------------------------------------------------------------------------------------


def make_weights(path: Path, seed: int) -> None:
    """Small untrained weights for the bundled scenes."""
    from conftest import SCENES, SMALL, TASKS
    from shared.samples import untrained

    from mtcodec.files.trees.layouts import find_scenes
    from mtcodec.networks.config import ModelConfig
    from mtcodec.networks.pytorch import serial
    from mtcodec.train.dataset import Scenes

    model = untrained(ModelConfig(TASKS, **SMALL), Scenes.read([find_scenes(SCENES)], TASKS), seed)
    serial.save(path, model, {"note": "untrained"})


def lossy_file(scene: Scene) -> bytes:
    """A file of three tasks of ``scene``, (64, 80), each in another coding mode of a classical codec."""
    modes = CODING_MODES
    candidates = {}
    for name, mode in (("rgb", modes[0]), ("depth", modes[-1]), ("normal", modes[2])):
        signal = Signal.from_image(USUAL[name], scene[name])
        candidates[name] = classical.encode(signal, mode, 40 if mode.codec == "av1" else 1, "draft")
    return file_of(candidates, (64, 80))


def make_seeds(directory: Path) -> tuple[Path, list[bytes]]:
    """Small weights in ``directory``, and files of every coding, most of them made with these."""
    from conftest import SCENES

    from mtcodec.files.scene import read_scene
    from mtcodec.files.trees.layouts import find_scenes

    paths = [directory / "small.safetensors", directory / "others.safetensors"]
    for seed, path in enumerate(paths):
        make_weights(path, seed)
    codec, foreign = (Codec(path, "cpu", coding="neural") for path in paths)
    scene = read_scene(find_scenes(SCENES)[1])
    whole = crop(scene, 90, 60, 64, 80)
    holes = {name: image.copy() for name, image in whole.items()}
    holes["depth"][10:30, 5:40], holes["normal"][3:9, 40:70] = 0, 128
    shared_holes = {name: image.copy() for name, image in whole.items()}
    shared_holes["depth"][10:30, 5:40], shared_holes["normal"][10:30, 5:40] = 0, 128
    floats = {"depth": whole["depth"].astype(np.float32) / 1000}
    floats["depth"][5:9] = np.nan
    labels = {"semantic": scene["semantic"]}
    undeclared = {
        "smell": (whole["rgb"] / 7).astype(np.float16),
        "seed": whole["semantic"].astype(np.int64) * 9 - 40,
        "semantic": whole["semantic"] > 2,
    }
    one_pixel = {name: whole[name][:1, :1] for name in ("rgb", "depth")}
    return paths[0], [
        codec.encode(whole, 10), codec.encode(whole, 52, task_quality={"depth": 68}, measures=True),
        codec.encode(holes, 38), codec.encode(shared_holes, 38, units={"depth": "1mm"}),
        codec.encode(labels),
        codec.encode(labels, attach={"a.txt": b"abc" * 30, "b.json": b"{}"}),
        codec.encode(undeclared),
        codec.encode(holes, max_error={"depth": 3, "normal": 2}),
        codec.encode(whole, max_error={"rgb": 0, "depth": 0, "normal": 1}),
        lossy_file(holes), codec.encode(shared_holes, 60, coding="classical"),
        codec.encode(floats, 40), codec.encode(floats, max_error={"depth": 0}),
        codec.encode(one_pixel, 30),
        foreign.encode(whole, 30), foreign.encode(holes, 60),
        *group_seeds(codec, whole, holes),
    ]  # fmt: skip


def group_seeds(codec: Codec, whole: Scene, holes: Scene) -> list[bytes]:
    """Groups of frames: of networks, within bounds, of numbers; with times, sizes and frames of their own."""
    frames = [dict(scene) for scene in (holes, whole, holes)]
    del frames[1]["normal"]
    for k, frame in enumerate(frames):
        frame["semantic"] = np.ascontiguousarray(frame["semantic"][::2, ::2])
        frame["pose"] = np.arange(6.0) + k
    times = tuple(Fraction(k, 30) for k in range(3))
    moments = Timeline(("a7", "a8", "a9"), times, {"depth": [t + Fraction(1, 500) for t in times]})
    small = [{"seed": np.full((4, 5, 1), k, np.int32), "temperature": np.float32(k)} for k in range(9)]
    return [
        codec.encode_group(frames, moments, quality=40).to_bytes(),
        codec.encode_group(frames, Timeline(("x", "y", "z")), coding="classical", effort="fast").to_bytes(),
        codec.encode_group(frames, moments, max_error={"depth": 3, "normal": 0, "rgb": 0}).to_bytes(),
        codec.encode_group(small, Timeline(tuple(f"{k:03}" for k in range(9)))).to_bytes(),
        codec.encode_group([whole], Timeline(("one",), times[:1]), attach={"a.txt": b"abc"}).to_bytes(),
    ]


# --- mutations ---------------------------------------------------------------------------------------

Mutation = Callable[[random.Random, bytes, bytes], bytes]
"""Of a file, given another one to take parts from."""


def flip(rng: random.Random, data: bytes, donor: bytes) -> bytes:
    return flip_bits(rng, data, (1, 1, 2, 8))


def cut(rng: random.Random, data: bytes, donor: bytes) -> bytes:
    return data[: rng.randrange(len(data))]


def splice(rng: random.Random, data: bytes, donor: bytes) -> bytes:
    at, start = rng.randrange(len(data)), rng.randrange(len(donor))
    return data[:at] + donor[start : start + rng.randrange(1, 200)] + data[at + rng.choice((0, 20)) :]


@dataclass
class Box:
    """A file taken apart, with payloads and the fingerprint of weights of another one, the donor."""

    header: Header
    payloads: dict[str, bytes]
    donor_payloads: dict[str, bytes]
    donor_fingerprint: str


def rebuilt(change: Callable[..., None]) -> Mutation:
    """A mutation of header fields and payloads, put together with right checksums."""

    def mutate(rng: random.Random, data: bytes, donor: bytes) -> bytes:
        box = Box(parse(data), dict(split(data)[1]), split(donor)[1], parse(donor).fingerprint)
        change(rng, box)
        return build(box.header, box.payloads)

    mutate.__name__ = change.__name__
    return mutate


def _name(rng: random.Random, box: Box) -> str:
    return rng.choice(sorted(box.payloads))


def shorter_payload(rng: random.Random, box: Box) -> None:
    name = _name(rng, box)
    payload = box.payloads[name]
    box.payloads[name] = payload[: rng.randrange(len(payload) + 1)]


def longer_payload(rng: random.Random, box: Box) -> None:
    box.payloads[_name(rng, box)] += rng.randbytes(rng.choice((1, 4, 100)))


def flipped_payload(rng: random.Random, box: Box) -> None:
    name = _name(rng, box)
    if box.payloads[name]:
        box.payloads[name] = flip(rng, box.payloads[name], b"")


def noise(rng: random.Random, box: Box) -> None:
    name = _name(rng, box)
    start = rng.choice((0, 1, 2, 8))
    box.payloads[name] = box.payloads[name][:start] + rng.randbytes(rng.choice((0, 1, 30, 3000)))


def exchanged(rng: random.Random, box: Box) -> None:
    sources = {**box.payloads, **({} if rng.random() < 0.5 else box.donor_payloads)}
    box.payloads[_name(rng, box)] = sources[rng.choice(sorted(sources))]


def reweighted(rng: random.Random, box: Box) -> None:
    """Sections made with other weights than those that the file names."""
    box.header = replace(box.header, fingerprint=box.donor_fingerprint)
    if rng.random() < 0.5:
        box.payloads |= {name: p for name, p in box.donor_payloads.items() if name in box.payloads}


def sizes(rng: random.Random, box: Box) -> None:
    choices = (1, 2, 63, 64, 65, 80, 255, 256, 300, 1 << 10, 1 << 18, 1 << 20)
    height, width = rng.choice(choices), rng.choice(choices)
    if height * width <= 1 << 28:
        box.header = replace(box.header, height=height, width=width)


def fields(rng: random.Random, box: Box) -> None:
    """Another coding, name or attributes of a section."""
    sections = list(box.header.sections)
    at = rng.randrange(len(sections))
    old = sections[at]
    attributes = old.attributes
    top = rng.randrange(9, 65536)
    changes: list[dict[str, object]] = [
        {"dtype": rng.choice(DTYPES)},
        {"dtype": rng.choice([*DEFAULT_RANGES]), "range": None},
        {"channels": rng.randrange(1, 17)},
        {"level": rng.randrange(2049)},
        {"range": None},
        {"range": (0, 0)},
        {"range": (rng.randrange(9), top)},
        {"range": (1 + rng.randrange(9), top), "mapping": "logarithmic"},
        {"unit_vectors": not attributes.unit_vectors},
        {"size": (rng.choice((1, 32, 64, 300)), rng.choice((1, 5, 40, 80)))},
        {"size": None},
        {"shape": rng.choice((IMAGE, *SHAPES))},
        {"frames": _frame_numbers(rng, box.header.frame_count)},
        {"delays": tuple(rng.randrange(-9, 9) for _ in box.header.frames_of(old.name))},
        {"hole_values": b""},
        {"hole_values": rng.randbytes(attributes.pixel_bytes * rng.randrange(1, 17))},
    ]
    new = replace(old, attributes=replace(attributes, **rng.choice(changes)))  # type: ignore[arg-type]
    if rng.random() < 0.4:
        new = replace(old, coding=rng.choice(CODINGS))
    elif rng.random() < 0.2:
        new = replace(old, name=rng.choice(SECTION_NAMES))
    if new.name not in {s.name for k, s in enumerate(sections) if k != at}:
        box.payloads[new.name] = box.payloads[old.name]
        sections[at] = new
        box.header = replace(box.header, sections=tuple(sections))


def _frame_numbers(rng: random.Random, count: int) -> tuple[int, ...]:
    return tuple(sorted(rng.sample(range(count), rng.randrange(1, count + 1))))


def needs(rng: random.Random, box: Box) -> None:
    """A task needs other sections."""
    sections = list(box.header.sections)
    at = rng.randrange(len(sections))
    before = [s.name for s in sections if not s.is_task and s.name not in EXTRA_SECTIONS.values()]
    sections[at] = replace(sections[at], needs=tuple(name for name in before if rng.random() < 0.6))
    box.header = replace(box.header, sections=tuple(sections))


def moments(rng: random.Random, box: Box) -> None:
    """Other frames: more, fewer, other times or names; perhaps none of a group, and some of a scene."""
    count = rng.choice((1, 2, 3, 4, 9, 64))
    names = tuple(f"{rng.choice('ab')}{k}" for k in range(count))
    rate = rng.choice((0, 1, 30, 10**9))
    ticks = tuple(rng.randrange(-(2**40), 2**40) for _ in names) if rate else ()
    frames = None if box.header.frames and rng.random() < 0.2 else Frames(names, rate, tuple(sorted(ticks)))
    box.header = replace(box.header, frames=frames).with_smallest_rate()


def frames_of_payload(rng: random.Random, box: Box) -> None:
    """Parts of a payload, one a frame: exchanged, left out, one more, of other lengths."""
    name = _name(rng, box)
    parts = frame_payloads.split(box.payloads[name], len(box.header.frames_of(name)))
    at = rng.randrange(len(parts))
    change = rng.randrange(5)
    if change == 0:
        rng.shuffle(parts)
    elif change == 1:
        del parts[at]
    elif change == 2:
        parts.append(parts[at])
    else:
        parts[at] = b"" if change == 3 else flip(rng, parts[at] or b"0", b"")
    box.payloads[name] = frame_payloads.join(parts)


def dropped(rng: random.Random, box: Box) -> None:
    """A section less, perhaps one that others need; or in another order."""
    sections = list(box.header.sections)
    if rng.random() < 0.5:
        rng.shuffle(sections)
    else:
        del sections[rng.randrange(len(sections))]
    box.header = replace(box.header, sections=tuple(sections))


def added(rng: random.Random, box: Box) -> None:
    """A task like another one, by another name."""
    source: Section = rng.choice(box.header.sections)
    if source.is_task:
        box.payloads["smell"] = box.payloads[source.name]
        box.header = replace(box.header, sections=(*box.header.sections, replace(source, name="smell")))


def header_bytes(rng: random.Random, data: bytes, donor: bytes) -> bytes:
    """A flipped header under a right checksum."""
    header, _ = split(data)
    return sealed(flip(rng, header[:-2], b"")) + data[len(header) :]


MUTATIONS: tuple[Mutation, ...] = (
    flip, cut, splice, header_bytes,
    *map(rebuilt, (shorter_payload, longer_payload, flipped_payload, noise, exchanged, reweighted)),
    *map(rebuilt, (sizes, fields, fields, dropped, added, needs)),
    *map(rebuilt, (moments, frames_of_payload, frames_of_payload)),
)  # fmt: skip


UNREADABLE = (MtcodecError, ValueError, KeyError, IndexError, OverflowError, struct.error)
"""What mutations of fields raise where an earlier mutation has left none."""


def mutated(rng: random.Random, seeds: list[bytes]) -> tuple[str, bytes]:
    """A file and the names of what was done to it."""
    data, donor = rng.choice(seeds), rng.choice(seeds)
    names = []
    for _ in range(rng.choice((1, 1, 2))):
        mutation = rng.choice(MUTATIONS)
        try:
            data = mutation(rng, data, donor) or data
        except UNREADABLE:
            continue
        names.append(getattr(mutation, "__name__", "?"))
    return "+".join(names) or "none", data


def case(rng: random.Random, seeds: list[bytes], part: bytes) -> tuple[str, str, bytes]:
    """The kind of a case, what was done to it, and its bytes."""
    share = rng.random()
    if share < 0.02:
        return "part", *mutated_part(rng, part)
    if share < 0.3:
        with contextlib.suppress(MtcodecError):  # a mutated file that has no rows: as it is
            data = rng.choice(seeds) if rng.random() < 0.7 else mutated(rng, seeds)[1]
            return "row", *mutated_row(rng, data, rng.choice(seeds))
    return "file", *mutated(rng, seeds)


# --- the worker --------------------------------------------------------------------------------------


def outcome(codec: Codec, data: bytes) -> str:
    """``right``, ``partial`` or ``refused``; anything else is raised."""
    lost: list[SectionError] = []
    try:
        reader = Reader(io.BytesIO(data), MAX_PIXELS)
        check_group_pixels(reader.header)
        scenes = codec.decode_frames(reader, on_damage=lost.append)
    except (FormatError, WeightsNotFound):
        return "refused"
    check_frames(reader.header, scenes, {error.task for error in lost})
    return "partial" if lost else "right"


def outcome_of(codec: Codec, kind: str, data: bytes) -> str:
    """The outcome of a case of any kind."""
    return outcome(codec, data) if kind == "file" else ROW_OUTCOMES[kind](codec, data)


def work(weights: Path, connection: Connection) -> None:
    """Decode what comes through ``connection``, and answer with outcomes."""
    codec = Codec(weights, "cpu")
    codec.networks()
    connection.send("ready")
    while True:
        kind, data = connection.recv()
        peak_before, start = peak(), time.process_time()
        try:
            answer = outcome_of(codec, kind, data)
        except BaseException as error:
            answer = f"raised {type(error).__name__}: {error}"
        growth, seconds = peak() - peak_before, time.process_time() - start
        if growth > LIMIT_BYTES or seconds > LIMIT_S:  # of the processor: the machine may be busy
            answer = f"took {growth} bytes, {seconds:.1f} s"
        connection.send(answer)


class Worker:
    """Decodes cases in a process that may die."""

    def __init__(self, weights: Path) -> None:
        self.weights = weights
        self.start()

    def start(self) -> None:
        self.connection, worker_end = multiprocessing.Pipe()
        context = multiprocessing.get_context("spawn")
        self.process = context.Process(target=work, args=(self.weights, worker_end), daemon=True)
        self.process.start()
        if not self.connection.poll(START_TIMEOUT_S) or self.connection.recv() != "ready":
            raise RuntimeError("the worker does not start")

    def run(self, kind: str, data: bytes) -> str:
        """The outcome of a case, or what the worker did wrong; it is started again where it must be."""
        self.connection.send((kind, data))
        try:
            answer = self.connection.recv() if self.connection.poll(CASE_TIMEOUT_S) else "did not end"
        except EOFError:
            answer = "died"
        if answer in ("did not end", "died"):
            self.process.kill()
            self.process.join()
            self.start()
        return str(answer)


def fuzz(
    weights: Path, seeds: list[bytes], files: int, seconds: float, seed: int, keep: Path | None
) -> tuple[Counter[str], list[str]]:
    """How often every outcome came, and what failed."""
    rng, worker, part = random.Random(seed), Worker(weights), part_from(seeds)
    outcomes: Counter[str] = Counter()
    failures: list[str] = []
    end = time.monotonic() + seconds
    for k in range(files):
        if seconds and time.monotonic() > end:
            break
        kind, name, data = case(rng, seeds, part)
        answer = worker.run(kind, data)
        if answer not in ("right", "partial", "refused"):
            failures.append(f"{name}: {answer}")
            if keep is not None:
                (keep / f"{seed}-{k}{SUFFIXES[kind]}").write_bytes(data)
        outcomes[f"{kind} {answer.split(':')[0]}"] += 1
    worker.process.kill()
    return outcomes, failures


def main() -> None:
    import tempfile

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--files", type=int, default=100_000)
    parser.add_argument("--seconds", type=float, default=0.0)
    parser.add_argument("--seed", type=int, default=0, help="0: another one every time")
    parser.add_argument("--keep", type=Path, default=None)
    arguments = parser.parse_args()
    seed = arguments.seed or random.SystemRandom().randrange(1, 1 << 31)
    with tempfile.TemporaryDirectory() as directory:
        weights, seeds = make_seeds(Path(directory))
        outcomes, failures = fuzz(weights, seeds, arguments.files, arguments.seconds, seed, arguments.keep)
    print(f"seed {seed}: {sum(outcomes.values())} cases: {dict(sorted(outcomes.items()))}")
    for failure in failures[:50]:
        print(failure)
    raise SystemExit(bool(failures))


if __name__ == "__main__":
    main()
