"""Every exception that bad data, bad files or missing weights can cause.

MtcodecError
├── UsageError           a request that makes no sense (exit code 2)
├── SceneError           an input scene or image is unreadable or unusable (1)
├── OutputError          an output cannot be written, or exists already (1)
├── FormatError          the bytes are not a valid container: damaged or hostile (3)
│   └── SectionError     one section is damaged; the others may still decode (3)
└── WeightsError         (4)
    ├── WeightsNotFound  no weights of that name or fingerprint are installed
    └── WeightsInvalid   a weights file is damaged, hostile or of an unknown version
"""

from __future__ import annotations


class MtcodecError(Exception):
    """Base of every error of this package; ``exit_code`` is what the command line returns."""

    exit_code = 1


class UsageError(MtcodecError):
    exit_code = 2


class SceneError(MtcodecError):
    """An input image, scene or dataset cannot be used; the message names the file."""


class OutputError(MtcodecError):
    """An output cannot be written."""


class FormatError(MtcodecError):
    """Bytes that are not a valid ``.mtc`` container."""

    exit_code = 3


class SectionError(FormatError):
    """One section of a container is damaged.

    ``section`` is its name; sections that do not depend on it still decode.
    """

    def __init__(self, message: str, section: str) -> None:
        super().__init__(message, section)
        self.section = section

    def __str__(self) -> str:
        return str(self.args[0])


class WeightsError(MtcodecError):
    exit_code = 4


class WeightsNotFound(WeightsError):
    """No installed weights have the requested name or fingerprint."""


class WeightsInvalid(WeightsError):
    """A weights file is damaged, hostile, or of a version that this release does not read."""
