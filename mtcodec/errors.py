"""Every exception that bad data, bad files or missing weights can cause.

::

    MtcodecError
    ├── UsageError           a request that makes no sense (exit code 2)
    ├── SceneError           an input scene or image is unreadable or unusable (1)
    ├── TargetError          no quality reaches the target (1)
    ├── OutputError          an output cannot be written, or exists already (1)
    ├── DependencyError      a library that this needs is not installed (1)
    ├── FormatError          the bytes are not a valid container: damaged or hostile (3)
    │   ├── SectionError     one section is damaged; the others may still decode (3)
    │   └── LimitError       the image is larger than the limit of the reader (3)
    └── WeightsError         (4)
        ├── WeightsNotFound  no weights of that name or fingerprint are installed
        └── WeightsInvalid   a weights file is damaged, hostile or of an unknown version

Where it happened is told by attributes; the message that people see is put together here.
"""

from __future__ import annotations

from typing import Any, TypeVar

E = TypeVar("E", bound="MtcodecError")


class MtcodecWarning(UserWarning):
    """What people should know of a result: something is left out, a unit is assumed, or something is done
    less well than it should be. The command line shows a line, which ``--strict`` makes an error."""


class MtcodecError(Exception):
    """Base of every error of this package.

    Attributes:
        reason: what is wrong, without where.
        path: the file or directory, as ``str()`` says it; scene: its key or label; task; section.
            None where unknown.
        exit_code: what the command line returns.
    """

    exit_code = 1

    def __init__(
        self,
        reason: str,
        *,
        path: object = None,
        scene: str | None = None,
        task: str | None = None,
        section: str | None = None,
    ) -> None:
        super().__init__(reason)
        self.reason, self.path, self.scene, self.task, self.section = reason, path, scene, task, section

    def __str__(self) -> str:
        places = [self.path, self.scene and f"scene {self.scene}"]
        places += [f"section {self.section}" if self.section else self.task and f"task {self.task}"]
        return ": ".join(str(place) for place in (*places, self.reason) if place)

    def at(self: E, **where: Any) -> E:
        """This error, with those attributes that it lacks; for ``raise error.at(path=path)``."""
        for name, value in where.items():
            if getattr(self, name) is None:
                setattr(self, name, value)
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        """Errors travel between processes whole."""
        return type(self), (self.reason,), self.__dict__


class UsageError(MtcodecError):
    """A request that makes no sense."""

    exit_code = 2


class SceneError(MtcodecError):
    """An input image, scene or dataset cannot be used."""


class TargetError(MtcodecError):
    """No quality reaches the target that was asked for."""


class OutputError(MtcodecError):
    """An output cannot be written."""


class DependencyError(MtcodecError):
    """A library that this needs is not installed; the message says how to install it."""


class FormatError(MtcodecError):
    """Bytes that are not a valid ``.mtc`` container."""

    exit_code = 3


class SectionError(FormatError):
    """One section of a container is damaged; sections that do not depend on it still decode."""


class LimitError(FormatError):
    """An image of more pixels than the reader allows."""


class WeightsError(MtcodecError):
    """Weights are missing or unusable."""

    exit_code = 4


class WeightsNotFound(WeightsError):
    """No installed weights have the requested name or fingerprint."""


class WeightsInvalid(WeightsError):
    """A weights file is damaged, hostile, or of a version that this release does not read."""
