"""Weights files: safetensors with the model's configuration.

Matrices of the transforms are stored as bytes (:mod:`mtcodec.networks.weights.int8`), their other floats in
half precision; everything that entropy decoding depends on as the integers it is used as (see
``docs/format.md``). A file carries the first seven bytes of the SHA-256 of its configuration and tensors,
whatever the order they lie in; the first four of them are its *fingerprint*.
"""

from __future__ import annotations

import hashlib
import json
import struct
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mtcodec.container.header import FINGERPRINT_BYTES
from mtcodec.errors import MtcodecError, WeightsInvalid
from mtcodec.files.output import write_atomic

if TYPE_CHECKING:
    import numpy as np

    from mtcodec.bitstreams.range_coder import Tables
    from mtcodec.networks.config import ModelConfig

    Array = np.ndarray[Any, Any]

SUFFIX = ".safetensors"
FORMAT = "mtcodec-weights-1"
DIGEST_BYTES = 7
MAX_BYTES = 1 << 30
MAX_HEADER_BYTES = 1 << 20


@dataclass(frozen=True)
class WeightsInfo:
    """What a weights file says about itself, read without its tensors."""

    name: str
    path: Path
    digest: str  # 14 hexadecimal digits
    config: dict[str, Any]
    training: dict[str, Any]  # free-form provenance: data, steps, date, results
    shapes: dict[str, tuple[str, tuple[int, ...]]]  # dtype and shape by tensor

    @property
    def fingerprint(self) -> str:
        """What files name the weights by: 8 hexadecimal digits."""
        return self.digest[: 2 * FINGERPRINT_BYTES]


def read_header(path: Path) -> dict[str, Any]:
    """The JSON header's ``__metadata__`` of a safetensors file, with the tensors under ``tensors``."""
    try:
        with path.open("rb") as file:
            (size,) = struct.unpack("<Q", file.read(8))
            if not 2 <= size <= MAX_HEADER_BYTES or path.stat().st_size > MAX_BYTES:
                raise ValueError("implausible size")
            header = json.loads(file.read(size))
        meta = header.pop("__metadata__", {})
        if meta.get("format") != FORMAT:
            raise ValueError(f"format {meta.get('format')!r}, not {FORMAT!r}")
        return {**meta, "tensors": header}
    except (OSError, ValueError, struct.error, AttributeError, TypeError, RecursionError) as error:
        raise WeightsInvalid(f"not a weights file of mtcodec: {error}", path=path) from error


def describe(path: Path) -> WeightsInfo:
    """Everything in the header of the weights file ``path``; reads no tensors.

    Raises:
        WeightsInvalid: damaged.
    """
    try:
        status = path.stat()
    except OSError as error:
        raise WeightsInvalid(f"cannot read it: {error.strerror}", path=path) from error
    return _describe(path, status.st_mtime_ns, status.st_size)


@lru_cache(maxsize=32)
def _describe(path: Path, _modified: int, _size: int) -> WeightsInfo:
    header = read_header(path)
    try:
        config, training = json.loads(header["config"]), json.loads(header.get("training", "{}"))
        if not isinstance(config, dict) or not isinstance(training, dict):
            raise ValueError("config or training is not an object")
        shapes = {n: (t["dtype"], tuple(t["shape"])) for n, t in header["tensors"].items()}
        return WeightsInfo(path.stem, path, str(header["fingerprint"]), config, training, shapes)
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        raise WeightsInvalid(f"damaged header: {error}", path=path) from error


def model_config(info: WeightsInfo) -> ModelConfig:
    """The configuration to rebuild a model from.

    Raises:
        WeightsInvalid: the file's configuration is not one.
    """
    from mtcodec.networks.config import ModelConfig

    try:
        return ModelConfig.from_json(info.config)
    except (KeyError, TypeError, ValueError, AttributeError, MtcodecError) as error:
        raise WeightsInvalid(f"not a usable configuration: {error}", path=info.path) from error


def digest_of(config: str, tensors: dict[str, Any]) -> str:
    """Digest of a configuration and numpy tensors: 14 hexadecimal digits."""
    digest = hashlib.sha256(config.encode())
    for name in sorted(tensors):
        array = tensors[name]
        digest.update(f"\0{name}\0{array.dtype.str}\0{array.shape}\0".encode())
        digest.update(array.data if array.size else b"")
    return digest.hexdigest()[: 2 * DIGEST_BYTES]


# --- tensors -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Weights:
    """A whole weights file.

    Attributes:
        tensors: of the networks by name (:mod:`mtcodec.networks.weights.tensors`), matrices of transforms as
            floats.
        tables: probability tables.
    """

    info: WeightsInfo
    config: ModelConfig
    tensors: dict[str, Array]
    tables: Tables


def load(path: Path) -> Weights:
    """Everything in the weights file ``path``, checked.

    Raises:
        WeightsInvalid: damaged (the digest does not match) or not what its configuration says.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    from mtcodec.bitstreams.range_coder import Tables
    from mtcodec.networks.entropy.scales import SCALES
    from mtcodec.networks.weights.int8 import unpack
    from mtcodec.networks.weights.tensors import check

    info = describe(path)
    try:
        tensors = load_file(path)
        if digest_of(json.dumps(info.config), tensors) != info.digest:
            raise WeightsInvalid("damaged: its content does not match its fingerprint", path=path)
        tables = Tables(tensors.pop("tables.counts"), tensors.pop("tables.lengths"))
        if len(tables.lengths) != SCALES:
            raise ValueError(f"{len(tables.lengths)} probability tables, not {SCALES}")
        config = model_config(info)
        check(config, tensors)
    except WeightsInvalid:
        raise
    except (SafetensorError, KeyError, TypeError, ValueError, OSError, MtcodecError) as error:
        raise WeightsInvalid(f"not usable: {error}", path=path) from error
    return Weights(info, config, unpack(tensors), tables)


def save(path: Path, config: str, tensors: dict[str, Array], training: dict[str, Any]) -> str:
    """Write a weights file (through a temporary file) and return its digest.

    Args:
        config: the model's configuration as JSON.
    """
    from safetensors.numpy import save as to_bytes

    from mtcodec.networks.weights.int8 import pack

    stored = pack(tensors)
    digest = digest_of(config, stored)
    metadata = {
        "format": FORMAT, "config": config, "training": json.dumps(training), "fingerprint": digest,
    }  # fmt: skip
    write_atomic(path, to_bytes(stored, metadata))
    return digest
