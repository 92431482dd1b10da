"""What coverage-guided fuzzing starts from: a few valid inputs of every target of ``targets.py``."""

from __future__ import annotations

import struct

import numpy as np
from hostile.targets import ABOUT, TABLES, row_bytes, size_bytes

from mtcodec.archive import layout
from mtcodec.bitstreams import contours, labels
from mtcodec.bitstreams import range_coder as rans
from mtcodec.bitstreams import zstd as frame
from mtcodec.coders import classical as picture
from mtcodec.coders import exact
from mtcodec.coders.classical import AV1, Way
from mtcodec.format import container
from mtcodec.format.container import CODINGS, DTYPES, Header, Section
from mtcodec.signal import layers
from mtcodec.tasks import task as tasks
from mtcodec.tasks.task import Task

TASKS = (tasks.RGB, tasks.DEPTH, tasks.NORMAL)


def _images() -> list[tuple[int, np.ndarray]]:
    """Small images by index of their task: smooth, with holes, noisy, of one value."""
    rows, columns = np.mgrid[:12, :20]
    rgb = np.stack([rows * 9 + c * columns for c in range(3)], -1).astype(np.uint8)
    depth = (3000 + rows * 50 + columns * 3).astype(np.uint16)
    depth[2:5, 4:9], depth[9:, :3] = 0, 65535
    floats = depth.astype(np.float32) / 1000
    floats[depth == 0] = np.nan
    normal = np.random.default_rng(0).integers(0, 256, (9, 8, 3)).astype(np.uint8)
    wide = np.geomspace(1, 60000, 64).astype(np.uint16).reshape(8, 8)
    return [(0, rgb), (1, depth), (1, floats), (2, normal), (1, np.full((3, 70), 7, np.uint16)), (1, wide)]


def section_bytes(task: int, coding: str, dtype: str, limits: tuple[float, float] | None) -> bytes:
    """What ``targets.section_of`` reads."""
    pair = limits or (0, 0)
    packed = struct.pack("<ff", *pair) if dtype.startswith("float") else struct.pack("<HH4x", *map(int, pair))
    return bytes([task, CODINGS.index(coding), DTYPES.index(dtype), limits is not None]) + packed


def _payload(kind: int, coded: exact.Coded, image: np.ndarray) -> bytes:
    coding, limits, payload = coded
    return section_bytes(kind, coding, image.dtype.name, limits) + size_bytes(*image.shape[:2]) + payload


def _classical(task: Task, image: np.ndarray, way: Way) -> exact.Coded:
    prepared = layers.prepare(task, image)
    setting = 40 if way.codec == AV1 else 2.0
    return "classical", picture.limits_of(task, prepared), picture.encode(prepared, way, setting, 3)


def _label_images() -> list[np.ndarray]:
    rows, columns = np.mgrid[:20, :30]
    disc = ((rows - 9) ** 2 + (columns - 12) ** 2 < 50).astype(np.uint8) * 3
    noise = np.random.default_rng(1).integers(0, 300, (6, 7)).astype(np.uint16)
    return [disc, disc.astype(np.uint16) * 200, noise, noise.astype(np.uint8), np.zeros((1, 9), np.uint8)]


def _file() -> bytes:
    """A file of every coding; its neural payloads are noise."""
    images, names = _images(), {}
    for kind, image in images[:2]:
        task = TASKS[kind]
        names[task.name] = exact.encode(task, image[:9, :8], 0)
    names["normal"] = _classical(tasks.NORMAL, images[3][1], picture.AV1_8)
    sections = [Section(n, c, str(images[k][1].dtype), None, r, 0, 0)
                for k, n in ((0, "rgb"), (1, "depth"), (3, "normal")) for c, r, _ in [names[n]]]  # fmt: skip
    payloads = {n: p for n, (_, _, p) in names.items()}
    mask = _label_images()[0][:9, :8]
    sections.append(Section("semantic", "labels", "uint8", None, None, 0, 0))
    return container.build(
        Header(container.NO_WEIGHTS, 9, 8, 1000, tuple(sections)),
        payloads | {"semantic": labels.encode_labels(np.ascontiguousarray(mask))},
    )


def _neural_file() -> bytes:
    sections = (
        Section("shared", "neural", "uint8", None, None, 0, 0),
        Section("rgb", "neural", "uint8", 7, None, 0, 0),
        Section("depth", "layered", "uint16", None, (3.0, 900.0), 0, 0),
        Section("smell", "labels", "uint16", None, None, 0, 0),
    )
    payloads = {s.name: bytes(range(1, 20)) for s in sections}
    return container.build(Header("11" * 7, 9, 8, 1000, sections), payloads)


def _boxed(data: bytes, mode: int) -> bytes:
    """A file as an input of ``container``."""
    size = container.parse_header(data).size - 4
    return bytes([mode]) + struct.pack("<H", size) + data[:size] + data[size + 4 :] if mode else b"\0" + data


def _row(data: bytes, mode: int) -> bytes:
    """A file as an input of ``archive``."""
    header, payloads = container.split(data)
    return bytes([mode]) + row_bytes({"header": header[:-4] if mode else header, **payloads})


def _symbols() -> bytes:
    rng = np.random.default_rng(2)
    steps, encoder = [], rans.Encoder(TABLES)
    for count in (300, 40):
        index = np.resize(np.arange(4, dtype=np.uint8), count)
        encoder.put(rng.integers(-2, 3, count).astype(np.int32) * 6, index)
        steps.append(struct.pack("<H", 4) + bytes(range(4)) + struct.pack("<H", count - 1))
    return bytes([1]) + b"".join(steps) + b"\x01" + encoder.finish()


def seeds() -> dict[str, list[bytes]]:
    """Inputs by target."""
    images, outlined = _images(), _label_images()
    raw = [image.tobytes() for image in outlined]
    sized = [(size_bytes(*i.shape) + bytes([i.dtype == np.uint16]), i) for i in outlined]
    ways = [(k, i, w) for k, i in images for w in picture.ways(TASKS[k], i)]
    lossy = [(k, i, w, _classical(TASKS[k], i, w)) for k, i, w in ways]
    bare = [(w, bytes([1]) + size_bytes(*i.shape[:2]) + bytes([i.ndim == 2]) + _stream(k, i, coded))
            for k, i, w, coded in lossy]  # fmt: skip
    prepared = [(k, i, layers.prepare(TASKS[k], i)) for k, i in images]
    files = [_file(), _neural_file()]
    return {
        "container": [_boxed(data, mode) for data in files for mode in range(3)],
        "labels": [head + labels.encode_labels(i) for head, i in sized],
        "contours": [head + contours.encode_contours(i, np.diff(i, axis=1, prepend=i.dtype.type(0)) != 0)
                     for head, i in sized],
        "frame": [struct.pack("<HB", len(r), 0) + frame.encode_frame(r, 9) for r in raw],
        "exact": [_payload(k, exact.encode(TASKS[k], i, b), i) for k, i in images for b in (0, 2)],
        "layers": [_payload(k, ("layered", picture.limits_of(TASKS[k], p), layers.pack(p.layers) + b"12"), i)
                   for k, i, p in prepared if not p.layers.plain],
        "classical": [_payload(k, coded, i) for k, i, _, coded in lossy],
        "av1": [data for way, data in bare if way.codec == AV1],
        "jxl": [data for way, data in bare if way.codec != AV1],
        "rans": [_symbols(), b""],
        "archive": [_row(data, mode) for data in files for mode in range(3)]
        + [b"\3" + layout.schema(ABOUT).metadata[layout.METADATA]],
    }  # fmt: skip


def _stream(kind: int, image: np.ndarray, coded: exact.Coded) -> bytes:
    """The code stream of a classical payload."""
    section = Section(TASKS[kind].name, "classical", image.dtype.name, None, coded[1], 0, 0)
    _, rest = layers.parse(coded[2], *image.shape[:2], TASKS[kind].channels, section)
    return rest[1:]
