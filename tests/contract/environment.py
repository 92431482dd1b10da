"""What results that are not the same everywhere depend on."""

from __future__ import annotations

import platform
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np

LIBRARIES = ("numpy", "onnxruntime", "imagecodecs", "constriction", "zstandard", "pyarrow", "pillow",
             "tifffile", "OpenEXR", "h5py", "typer")  # fmt: skip
FLAGS = ("avx2", "avx512f")


def _flags() -> set[str]:
    """Which of ``FLAGS`` the processor has."""
    info = Path("/proc/cpuinfo")
    if info.exists():
        return set(FLAGS) & set(info.read_text().split())
    features = getattr(getattr(np, "_core", None), "_multiarray_umath", None)
    known = getattr(features, "__cpu_features__", {})
    return {flag for flag in FLAGS if known.get(flag.upper())}


def _version(library: str) -> str:
    try:
        return version(library)
    except PackageNotFoundError:
        return "none"


def environment() -> dict[str, str]:
    """The system, its processor and the versions of libraries."""
    own = {"system": sys.platform, "machine": platform.machine(), "cpu": " ".join(sorted(_flags()))}
    return own | {library: _version(library) for library in LIBRARIES}


def differences(recorded: dict[str, str]) -> str:
    """How the present environment differs from a recorded one; empty where it does not."""
    present = environment()
    names = [name for name in {**recorded, **present} if recorded.get(name) != present.get(name)]
    return ", ".join(f"{name}: {present.get(name)} instead of {recorded.get(name)}" for name in names)
