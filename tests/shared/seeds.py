"""What coverage-guided fuzzing starts from: a few valid inputs of every target of ``targets.py``."""

from __future__ import annotations

import struct
from fractions import Fraction

import numpy as np
from shared import sequence_targets
from shared.sections import file_of
from shared.targets import FINGERPRINT, MANIFEST, TABLES, row_bytes, section_bytes, size_bytes

from mtcodec import Codec
from mtcodec.archive import manifest as layout
from mtcodec.archive.index import ShardInfo, index_to_json
from mtcodec.archive.rows import columns_of
from mtcodec.bitstreams import contours, labels, range_coder, zstd
from mtcodec.codec.timeline import Timeline
from mtcodec.coders import bounded, classical
from mtcodec.coders.candidate import Candidate, attributes_of
from mtcodec.coders.coding_modes import CODING_MODES, CodingMode, supports
from mtcodec.container import attachments, notes
from mtcodec.container.header import Header, parse
from mtcodec.container.mtc import build, split
from mtcodec.container.section import ATTACHMENTS, NOTES, SHARED, Attributes, Section
from mtcodec.signals.signal import Signal
from mtcodec.tasks import USUAL, Task, declare


def _signals() -> list[Signal]:
    """Small images: smooth, with holes, noisy, of one value."""
    rows, columns = np.mgrid[:12, :20]
    rgb = np.stack([rows * 9 + c * columns for c in range(3)], -1).astype(np.uint8)
    depth = (3000 + rows * 50 + columns * 3).astype(np.uint16)
    depth[2:5, 4:9], depth[9:, :3] = 0, 65535
    floats = depth.astype(np.float32) / 1000
    floats[depth == 0] = np.nan
    normal = np.random.default_rng(0).integers(0, 256, (9, 8, 3)).astype(np.uint8)
    wide = np.geomspace(1, 60000, 64).astype(np.uint16).reshape(8, 8)
    images = [("rgb", rgb), ("depth", depth), ("depth", floats), ("depth", floats.astype(np.float16)),
              ("normal", normal), ("depth", np.full((3, 70), 7, np.uint16)), ("depth", wide)]  # fmt: skip
    return [Signal.from_image(USUAL[name], image) for name, image in images]


def _exact_signals() -> list[Signal]:
    """Of tasks that are kept exactly: labels of several dtypes, colours, and what nobody knows."""
    disc, wide = _label_images()[:2]
    images = {"semantic": [disc, wide.astype(np.int32) - 9, disc > 0], "smell": [np.dstack([disc] * 2)]}
    images["smell"].append(np.random.default_rng(3).normal(size=(5, 6)).astype(np.float16))
    tasks = {"semantic": USUAL["semantic"], "smell": Task("smell", "data", 1)}
    signals = []
    for name, images_of_task in images.items():
        for image in images_of_task:
            channels = 1 if image.ndim == 2 else image.shape[2]
            task = tasks[name] if channels == 1 else declare(name, "data", channels)
            signals.append(Signal.from_image(task, image))
    return signals


def _label_images() -> list[np.ndarray]:
    """A disc, noise, nothing, ragged edges, and a slope; the last is one that contours cannot hold."""
    rows, columns = np.mgrid[:20, :30]
    disc = ((rows - 9) ** 2 + (columns - 12) ** 2 < 50).astype(np.uint8) * 3
    noise = np.random.default_rng(1).integers(0, 300, (6, 7)).astype(np.uint16)
    slope = (rows * 5 + columns * 3).astype(np.uint16)
    edges = 9 * np.arange(1, 5) + np.cumsum(np.random.default_rng(2).integers(-1, 2, (60, 4)), axis=0)
    ragged = np.count_nonzero(edges[:, None] <= np.arange(50)[:, None], axis=2) % 2
    return [
        disc,
        disc.astype(np.uint16) * 200,
        noise,
        noise.astype(np.uint8),
        np.zeros((1, 9), np.uint8),
        ragged.astype(np.uint8),
        slope,
    ]


def _section(signal: Signal, candidate: Candidate) -> bytes:
    """A section as an input; its holes are left out."""
    section = Section(signal.task.name, candidate.coding, attributes_of(candidate))
    return section_bytes(section) + size_bytes(signal.height, signal.width) + candidate.payload


def _lossy() -> list[tuple[Signal, CodingMode, Candidate]]:
    """All signals in all coding modes of classical codecs that suit them."""
    return [
        (signal, mode, classical.encode(signal, mode, 40 if mode.codec == "av1" else 2.0, "draft"))
        for signal in _signals()
        for mode in CODING_MODES
        if supports(mode, signal)
    ]


def _holes(signal: Signal) -> bytes:
    """The holes of a signal as an input of ``holes``."""
    holes = signal.pixel_format.holes
    assert holes is not None
    candidate = Candidate("classical", signal.pixel_format, b"", lambda: signal.original)
    section = Section(signal.task.name, candidate.coding, attributes_of(candidate))
    count = bytes([len(holes.values) - 1])
    head = section_bytes(section) + size_bytes(signal.height, signal.width) + count
    return head + section.attributes.hole_values + labels.encode_labels(holes.mask)


def _file() -> bytes:
    """A file of every coding without networks."""
    rgb, depth, *_ = _signals()
    disc = np.ascontiguousarray(_label_images()[0][:12, :20])
    smell = np.arange(480, dtype=np.float16).reshape(12, 20, 2)
    semantic = Signal.from_image(USUAL["semantic"], disc)
    unknown = Signal.from_image(Task("smell", "data", 2), smell)
    tasks = {
        "rgb": classical.encode(rgb, CODING_MODES[0], 40, "draft"),
        "depth": bounded.encode(depth, 3.0),
        "semantic": bounded.encode(semantic),
        "smell": bounded.encode(unknown),
    }
    return file_of(tasks, (12, 20))


def _neural_file() -> bytes:
    """Its neural payloads are noise."""
    depth = Attributes("float32", 1, (3.0, 900.0), "logarithmic", hole_values=bytes(8))
    sections = (
        Section(SHARED, "neural", Attributes()),
        Section("holes0", "labels", Attributes("uint8", 1)),
        Section("rgb", "neural", Attributes(level=7), (SHARED,)),
        Section("depth", "neural", depth, (SHARED, "holes0")),
        Section("semantic", "labels", Attributes("int16", 1, (-4, 9))),
        Section(NOTES, "raw", Attributes()),
        Section(ATTACHMENTS, "raw", Attributes()),
    )
    payloads = {s.name: bytes(range(1, 20)) for s in sections}
    payloads[ATTACHMENTS] = attachments.pack({"camera.json": b"{}" * 9, "pose.txt": b"1 0 0"})
    payloads[NOTES] = notes.pack({"depth": {"unit": "1mm", "psnr": 40.1}})
    return build(Header(FINGERPRINT, 9, 8, 1000, sections), payloads)


def _group() -> bytes:
    """Three frames of every coding without networks; the second lacks a task, one has its own times."""
    rgb, depth, *_ = (signal.original for signal in _signals())
    disc = np.ascontiguousarray(_label_images()[0][:6, :10])
    frames = [
        {
            "rgb": rgb,
            "depth": np.roll(depth, k, 1),
            "semantic": disc,
            "smell": np.arange(6.0) * k,
            "pose": depth,
        }
        for k in range(3)
    ]
    del frames[1]["semantic"]
    times = tuple(Fraction(k, 30) for k in range(3))
    moments = Timeline(("f08", "f09", "f10"), times, {"depth": [time + 1 for time in times]})
    codec = Codec((), effort="fast", tasks="pose:depth")
    return codec.encode_group(frames, moments, quality=20, max_error={"depth": 2}).to_bytes()


def _boxed(data: bytes, mode: int) -> bytes:
    """A file as an input of ``container``."""
    size = parse(data).size - 2
    return bytes([mode]) + struct.pack("<H", size) + data[:size] + data[size + 2 :] if mode else b"\0" + data


def _row(data: bytes, mode: int) -> bytes:
    """A file as an input of ``archive``."""
    header, payloads = split(data)
    columns = columns_of(parse(header), payloads)
    return bytes([mode]) + row_bytes({"header": header[:-2] if mode else header, **columns})


def _symbols() -> bytes:
    """Two coding passes as an input of ``symbols``."""
    rng = np.random.default_rng(2)
    passes, encoder = [], range_coder.Encoder(TABLES)
    for count in (300, 40):
        table_index = np.resize(np.arange(4, dtype=np.uint8), count)
        encoder.put(rng.integers(-2, 3, count).astype(np.int32) * 6, table_index)
        passes.append(struct.pack("<H", 4) + bytes(range(4)) + struct.pack("<H", count - 1))
    return bytes([1]) + b"".join(passes) + b"\x01" + encoder.finish()


def seeds() -> dict[str, list[bytes]]:
    """Inputs by target."""
    label_images, lossy = _label_images(), _lossy()
    sized = [(size_bytes(*i.shape) + bytes([i.dtype == np.uint16]), i) for i in label_images]
    streams: dict[str, list[bytes]] = {"av1": [], "jxl": []}
    for signal, mode, candidate in lossy:
        _, _, stream = classical.parse_head(candidate.payload, candidate.pixel_format)
        size, grey = size_bytes(signal.height, signal.width), bytes([signal.task.channels == 1])
        streams[mode.codec].append(bytes([1]) + size + grey + stream)
    exact = [(s, bounded.encode(s)) for s in _exact_signals()]
    within_bounds = [(s, bounded.encode(s, bound)) for s in _signals() for bound in (0, 2)]
    files = [_file(), _neural_file()]
    return {
        "group": [_boxed(data, mode) for data in (_group(), _file()) for mode in range(3)],
        "container": [_boxed(data, mode) for data in files for mode in range(3)],
        "labels": [head + labels.encode_labels(i) for head, i in sized]
        + [head + (labels.encode_quick(i, b"\0" * i.size) or b"") for head, i in sized if i.max() <= 1],
        "contours": [head + (contours.encode_contours(i) or b"") for head, i in sized[:-1]],
        "frame": [struct.pack("<HB", i.nbytes, 0) + zstd.encode_frame(i.tobytes(), 9) for i in label_images],
        "exact": [_section(s, c) for s, c in exact + within_bounds if c.pixel_format.holes is None],
        "holes": [_holes(s) for s in _signals() if s.pixel_format.holes is not None],
        "classical": [_section(s, c) for s, _, c in lossy if c.pixel_format.holes is None],
        **streams,
        "symbols": [_symbols(), b""],
        "archive": [_row(data, mode) for data in files for mode in range(3)]
        + [b"\3" + layout.schema(MANIFEST).metadata[layout.METADATA]]
        + [b"\4" + index_to_json(MANIFEST, [ShardInfo("shard-00000.parquet", 999, (1, 2), {"key": 9})])],
        **sequence_targets.seeds(),
    }  # fmt: skip
