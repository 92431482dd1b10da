"""The pretrained Scale Hyperprior of CompressAI's model zoo as a baseline: each task coded alone.

The networks (``bmshj2018_hyperprior``, optimised for MSE on natural RGB images) see colour and vectors as
they are, one channel repeated to three; lengths are scaled by their maximum, which decoding is given for
free, other values by their range. Decoded channels of a one-channel image are averaged. Sizes are of real
streams: the two strings that the model's entropy coders make, behind a header of 9 bytes (quality, height,
width, length of the first string).

Needs CompressAI, which is imported only when used. Everything runs on the CPU in one thread.
"""

from __future__ import annotations

import hashlib
import http.client
import io
import struct
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import replace
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from mtcodec import extras
from mtcodec.errors import MtcodecError, UsageError, WeightsInvalid, WeightsNotFound
from mtcodec.signals.mapping import Array, ValueRange, to_planes
from mtcodec.signals.signal import PixelFormat, Signal

NAME = "hyperprior"
ZOO_NAME = "bmshj2018-hyperprior"
FILE_PATTERN = ZOO_NAME + "-{q}-*.pth.tar"
"""Names of the zoo's files; ``{q}`` is the quality."""

QUALITIES = (1.0, 2.0, 3.0, 4.0, 5.0)
ALIGNMENT = 64  # pixels: sides of what the network codes are multiples of it
_HEADER = struct.Struct("<BHHI")


def _zoo() -> Any:
    """The package ``compressai.zoo``, with its modules ``image`` and ``pretrained`` loaded."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the libraries that it imports
        for module in ("image", "pretrained"):
            extras.load(f"compressai.zoo.{module}", f"the codec {NAME!r}", "paper")
        return import_module("compressai.zoo")


def checkpoint(quality: float, checkpoints: str) -> Path:
    """The file of one quality.

    Args:
        checkpoints: a directory of files named as in the zoo, or a path with ``{q}`` in place of the
            quality and, if need be, ``*`` or ``?`` in its last part.

    Raises:
        WeightsNotFound: there is none. UsageError: there are several.
    """
    pattern = checkpoints if "{q}" in checkpoints else str(Path(checkpoints) / FILE_PATTERN)
    path = Path(pattern.replace("{q}", f"{quality:g}"))
    files = sorted(path.parent.glob(path.name)) if path.name else []
    if not files:
        raise WeightsNotFound(f"no such checkpoint of {ZOO_NAME}", path=path)
    if len(files) > 1:
        raise UsageError(f"{len(files)} checkpoints, not one", path=path)
    return files[0]


def _download(quality: float) -> Mapping[str, Any]:
    """State of the zoo's model, from torch.hub's cache or the network."""
    import torch

    url = _zoo().image.model_urls[ZOO_NAME]["mse"][int(quality)]
    options: dict[str, Any] = {"map_location": "cpu", "progress": False, "weights_only": True}
    try:
        with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):  # it announces the download
            return torch.hub.load_state_dict_from_url(url, **options)
    except (OSError, http.client.HTTPException) as error:
        raise WeightsNotFound(
            f"cannot download {url} ({error}): fetch the files {ZOO_NAME}-<1 to 5>-*.pth.tar elsewhere "
            "and name their directory with --hyperprior-checkpoints"
        ) from error


@cache
def model(quality: float, checkpoints: str | None) -> Any:
    """The network of one quality, ready to code.

    Args:
        quality: 1 to 8.
        checkpoints: see :func:`checkpoint`; None takes the zoo's own files.

    Raises:
        UsageError: no such quality. DependencyError: CompressAI is not installed.
        WeightsNotFound: no file, or it cannot be downloaded. WeightsInvalid: it holds something else.
    """
    zoo = _zoo()
    import torch

    if quality not in range(1, 9):
        raise UsageError(f"{NAME} has the qualities 1 to 8, not {quality:g}")
    try:
        if checkpoints is None:
            state = _download(quality)
        else:
            state = torch.load(checkpoint(quality, checkpoints), map_location="cpu", weights_only=True)
        state = zoo.pretrained.load_pretrained(state)  # with today's names of parameters
        network = zoo.image.model_architectures[ZOO_NAME].from_state_dict(state).eval()
        network.update(force=True)
    except MtcodecError:
        raise
    except Exception as error:  # torch and pickle raise whatever they like
        source = f"the checkpoint of quality {quality:g} in {checkpoints or 'the cache of torch.hub'}"
        raise WeightsInvalid(f"{source} is not usable: {' '.join(str(error).split())[:200]}") from error
    return network


def identity(qualities: Sequence[float], checkpoints: str | None) -> str:
    """Hash of all that decides on the bytes: parameters of these qualities, and library versions.

    Raises what :func:`model` does, so it also finds out whether everything is there.
    """
    digest = hashlib.sha256(repr(sorted(versions().items())).encode())
    for quality in qualities:
        for name, tensor in sorted(model(quality, checkpoints).state_dict().items()):
            digest.update(f"\0{quality:g} {name} {tensor.dtype} {tuple(tensor.shape)}\0".encode())
            digest.update(tensor.contiguous().numpy().tobytes())
    return digest.hexdigest()[:24]


def versions() -> dict[str, str]:
    """Versions of the libraries that do the work, by name."""
    _zoo()
    import compressai
    import torch

    return {"compressai": str(compressai.__version__), "torch": str(torch.__version__)}


@contextmanager
def _one_thread() -> Iterator[None]:
    """One thread of torch and no gradients."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with torch.no_grad():
            yield
    finally:
        torch.set_num_threads(threads)


def _pixel_format(signal: Signal) -> PixelFormat:
    """How the network's planes stand for values: 1 is the largest one."""
    value_range = signal.pixel_format.value_range
    low = 0.0 if signal.task.kind.length else value_range.low
    return replace(signal.pixel_format, value_range=ValueRange(low, value_range.high))


def encode(signal: Signal, quality: float, checkpoints: str | None = None) -> bytes:
    """``signal``, of 1 or 3 channels, as a stream of the model of ``quality``.

    Raises what :func:`model` does.
    """
    import torch

    network = model(quality, checkpoints)
    planes = to_planes(signal.filled, _pixel_format(signal).value_range)
    planes = np.broadcast_to(planes, (3, signal.height, signal.width))
    pad = ((0, 0), (0, -signal.height % ALIGNMENT), (0, -signal.width % ALIGNMENT))
    batch = np.pad(planes, pad, mode="edge")[None]
    with _one_thread():
        (first,), (second,) = network.compress(torch.from_numpy(batch))["strings"]
    head = _HEADER.pack(int(quality), signal.height, signal.width, len(first))
    return head + bytes(first) + bytes(second)


def decode(payload: bytes, like: Signal, checkpoints: str | None = None) -> Array:
    """The image in a stream of :func:`encode`; shape, dtype, range and holes are those of ``like``.

    Raises:
        MtcodecError: the stream is of another size of image, or has lost its first string's end. Other
            damage goes unnoticed: the model's entropy decoders check nothing.
    """
    if len(payload) < _HEADER.size:
        raise MtcodecError(f"not a stream of {NAME}", task=like.task.name)
    quality, height, width, length = _HEADER.unpack_from(payload)
    strings = payload[_HEADER.size :]
    if (height, width) != (like.height, like.width) or length > len(strings):
        raise MtcodecError(f"not a stream of {NAME} of this image's size", task=like.task.name)
    shape = [-(-side // ALIGNMENT) for side in (height, width)]
    network = model(float(quality), checkpoints)
    with _one_thread():
        x_hat = network.decompress([[strings[:length]], [strings[length:]]], shape)["x_hat"]
    planes = x_hat[0].numpy()[:, :height, :width].astype(np.float64)
    if like.pixel_format.channels == 1:
        planes = planes.mean(axis=0, keepdims=True)
    return _pixel_format(like).restore(planes)
