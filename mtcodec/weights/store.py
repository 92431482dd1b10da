"""Weights files: safetensors with the model's configuration, found by name or fingerprint.

Floats of the transforms are stored in half precision; everything that entropy decoding depends on is
stored as the integers it is used as (see ``docs/format.md``). A file's *fingerprint* is the first
seven bytes of the SHA-256 of its configuration and tensors, whatever the order they lie in.
"""

from __future__ import annotations

import hashlib
import json
import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mtcodec.errors import MtcodecError, WeightsInvalid, WeightsNotFound
from mtcodec.files.output import write_atomic
from mtcodec.format.container import FINGERPRINT_BYTES
from mtcodec.tasks import task as tasks

if TYPE_CHECKING:
    from mtcodec.bitstreams.range_coder import Tables
    from mtcodec.models.config import ModelConfig
    from mtcodec.models.multitask import MultiTask

SUFFIX = ".safetensors"
FORMAT = "mtcodec-weights-1"
AUTO = "auto"  # stands for the best of CANDIDATES for a scene
CANDIDATES = ("general", "clevr")
MAX_BYTES = 1 << 30
MAX_HEADER = 1 << 20


@dataclass(frozen=True)
class WeightsInfo:
    """What a weights file says about itself, read without torch."""

    name: str
    path: Path
    fingerprint: str  # 14 hexadecimal digits
    config: dict[str, Any]
    training: dict[str, Any]  # free-form provenance: data, steps, date, results
    shapes: dict[str, tuple[str, tuple[int, ...]]]  # dtype and shape by tensor


def directories() -> list[Path]:
    """Where weights are looked for: ``$MTCODEC_WEIGHTS`` (os.pathsep-separated), then the package's."""
    extra = [Path(p) for p in os.environ.get("MTCODEC_WEIGHTS", "").split(os.pathsep) if p]
    inside = Path(__file__).parent / "weights"  # an installed wheel
    beside = Path(__file__).parent.parent / "weights"  # a checkout
    return [*extra, inside, beside]


def installed() -> Iterator[Path]:
    """Paths of all installed weights files, first match of every name first."""
    seen = set()
    for directory in directories():
        for path in sorted(directory.glob("*" + SUFFIX)):
            if path.stem not in seen:
                seen.add(path.stem)
                yield path


def find(name: str) -> Path:
    """Path of the weights called ``name``, which may be a path itself."""
    if name.endswith(SUFFIX) or os.sep in name:
        path = Path(name)
        if not path.is_file():
            raise WeightsNotFound(f"{name}: no such weights file")
        return path
    for path in installed():
        if path.stem == name:
            return path
    known = ", ".join(p.stem for p in installed()) or "none"
    raise WeightsNotFound(f"no weights named {name!r} are installed (installed: {known})")


def resolve(name: str) -> list[str]:
    """The weights that ``name`` stands for: itself, or for ``auto`` those candidates that are installed."""
    if name != AUTO:
        return [name]
    there = {path.stem for path in installed()}
    return [candidate for candidate in CANDIDATES if candidate in there] or [CANDIDATES[0]]


def find_fingerprint(fingerprint: str) -> Path:
    """Path of the installed weights with this fingerprint."""
    for path in installed():
        try:
            if read_header(path).get("fingerprint") == fingerprint:
                return path
        except WeightsInvalid:
            continue
    raise WeightsNotFound(
        f"needs the weights with fingerprint {fingerprint}, which are not installed: "
        "name their file with --weights, or put it into a directory listed in MTCODEC_WEIGHTS"
    )


def read_header(path: Path) -> dict[str, Any]:
    """The JSON header's ``__metadata__`` of a safetensors file, with the tensors under ``tensors``."""
    try:
        with path.open("rb") as file:
            (size,) = struct.unpack("<Q", file.read(8))
            if not 2 <= size <= MAX_HEADER or path.stat().st_size > MAX_BYTES:
                raise ValueError("implausible size")
            header = json.loads(file.read(size))
        meta = header.pop("__metadata__", {})
        if meta.get("format") != FORMAT:
            raise ValueError(f"format {meta.get('format')!r}, not {FORMAT!r}")
        return {**meta, "tensors": header}
    except (OSError, ValueError, struct.error, AttributeError, TypeError, RecursionError) as error:
        raise WeightsInvalid(f"{path}: not a weights file of mtcodec: {error}") from error


def describe(path: Path) -> WeightsInfo:
    """Everything in the header of the weights file ``path``; reads no tensors."""
    header = read_header(path)
    try:
        config, training = json.loads(header["config"]), json.loads(header.get("training", "{}"))
        if not isinstance(config, dict) or not isinstance(training, dict):
            raise ValueError("config or training is not an object")
        return WeightsInfo(
            name=path.stem,
            path=path,
            fingerprint=str(header["fingerprint"]),
            config=config,
            training=training,
            shapes={n: (t["dtype"], tuple(t["shape"])) for n, t in header["tensors"].items()},
        )
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        raise WeightsInvalid(f"{path}: damaged header: {error}") from error


def model_config(info: WeightsInfo) -> ModelConfig:
    """The configuration to rebuild a model from.

    Raises:
        WeightsInvalid: the file's configuration is not one.
    """
    from mtcodec.models.config import ModelConfig

    try:
        return ModelConfig.from_json(info.config)
    except (KeyError, TypeError, ValueError, AttributeError, MtcodecError) as error:
        raise WeightsInvalid(f"{info.path}: not a usable configuration: {error}") from error


def declare_tasks(name: str) -> None:
    """Register the tasks that the weights ``name`` bring and that are not declared yet."""
    for task in model_config(describe(find(name))).tasks:
        if task.name not in tasks.names():
            tasks.register(task)


def fingerprint_of(config: str, tensors: dict[str, Any]) -> str:
    """Fingerprint of a configuration and numpy tensors: 14 hexadecimal digits."""
    digest = hashlib.sha256(config.encode())
    for name in sorted(tensors):
        array = tensors[name]
        digest.update(f"\0{name}\0{array.dtype.str}\0{array.shape}\0".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()[: 2 * FINGERPRINT_BYTES]


# --- networks ------------------------------------------------------------------------------------


def load(path: Path) -> tuple[MultiTask, Tables]:
    """Rebuild the networks and probability tables of the weights file ``path``.

    The model is in evaluation mode, its integer layers frozen.

    Raises:
        WeightsInvalid: damaged (the fingerprint does not match) or not what its configuration says.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    from mtcodec.bitstreams.range_coder import Tables
    from mtcodec.models import serial
    from mtcodec.models.entropy.stream import SCALES

    unusable = (SafetensorError, KeyError, TypeError, ValueError, OSError, RuntimeError)
    info = describe(path)
    try:
        tensors = load_file(path)
        if fingerprint_of(json.dumps(info.config), tensors) != info.fingerprint:
            raise WeightsInvalid(f"{path}: damaged: its content does not match its fingerprint")
        tables = Tables(tensors.pop("tables.counts"), tensors.pop("tables.lengths"))
        if len(tables.lengths) != SCALES:
            raise ValueError(f"{len(tables.lengths)} probability tables, not {SCALES}")
        model = serial.from_tensors(model_config(info), tensors)
    except WeightsInvalid:
        raise
    except (*unusable, AssertionError, MtcodecError) as error:
        raise WeightsInvalid(f"{path}: not usable: {error}") from error
    return model, tables


def save(
    path: Path, model: MultiTask, training: dict[str, Any], histograms: list[dict[int, int]] | None = None
) -> str:
    """Write ``model`` to ``path`` (through a temporary file) and return its fingerprint.

    ``histograms`` are symbols seen by table, to fit the probability tables to.
    """
    from safetensors.numpy import save as to_bytes

    from mtcodec.models import serial

    tensors = serial.to_tensors(model, histograms)
    config = json.dumps(model.config.to_json())
    fingerprint = fingerprint_of(config, tensors)
    metadata = {
        "format": FORMAT,
        "config": config,
        "training": json.dumps(training),
        "fingerprint": fingerprint,
    }
    write_atomic(path, to_bytes(tensors, metadata))
    return fingerprint
