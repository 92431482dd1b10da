"""Libraries that only some commands need: extras of the package."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from mtcodec.errors import DependencyError


def load(module: str, what: str, extra: str) -> Any:
    """Import ``module``, which ``what`` needs, and which ``mtcodec[extra]`` installs.

    Raises:
        DependencyError: it is not there, or lacks something itself.
    """
    library = module.partition(".")[0]
    try:
        import_module(library)
        return import_module(module)
    except ImportError as error:
        raise DependencyError(f"{what} needs {library}: pip install 'mtcodec[{extra}]'") from error
