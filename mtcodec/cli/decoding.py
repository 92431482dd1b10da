"""Files that ``mtcodec decode`` decodes, in this process or in others."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mtcodec.cli.batch import Outcome
from mtcodec.cli.common import make_directory, open_file, refuse_existing, set_threads
from mtcodec.errors import FormatError, MtcodecError, OutputError, SceneError, SectionError, UsageError

if TYPE_CHECKING:
    from mtcodec.container.mtc import Reader

SUFFIX = ".mtc"
Work = tuple[str, Path]
"""A file, and the directory of its images."""


@dataclass
class Decoded(Outcome):
    """What became of a file: the paths that are written, and what is damaged."""

    paths: list[Path] = field(default_factory=list)
    lost: list[SectionError] = field(default_factory=list)


@dataclass(frozen=True)
class Decoder:
    """Decodes files; networks are loaded once in a process.

    Attributes:
        tasks: those to decode; None: all.
        weights: names or paths of weights besides the installed ones.
        max_pixels: larger images are refused.
    """

    tasks: list[str] | None
    weights: list[str]
    device: str
    threads: int
    max_pixels: int
    force: bool

    def __call__(self, work: Work) -> Decoded:
        """Decode a file; an error of it is in the result."""
        result = Decoded(work[0])
        try:
            self._decode(*work, result)
        except MtcodecError as error:
            result.error = error
        return result

    def _decode(self, file: str, directory: Path, result: Decoded) -> None:
        """Write the images of ``file`` to ``directory``, and what is attached; ``result`` notes what is done.

        Raises:
            MtcodecError: nothing is written, or not all tasks are.
        """
        from mtcodec.codec.api import Codec
        from mtcodec.files.images import suffix_for, write_image
        from mtcodec.files.output import write_atomic

        lost: list[SectionError] = []
        with open_file(file, self.max_pixels) as reader:
            result.read = reader.size
            wanted = self.tasks or list(reader.header.tasks)
            for name in wanted:
                reader.header.task(name)
                for suffix in (".png", ".npy"):
                    refuse_existing(directory / (name + suffix), self.force)
            if any(reader.header.task(name).is_neural for name in wanted):
                set_threads(self.threads)
            attached = self._attached(reader, directory, lost)
            try:
                images = Codec(self.weights, self.device).decode(reader, wanted, lost.append)
            except FormatError as error:
                raise error.at(path=file) from None
        result.lost = lost
        contents: list[tuple[str, Callable[[Path, Any], None], Any]] = [
            *((name + suffix_for(image), write_image, image) for name, image in images.items()),
            *((name, write_atomic, data) for name, data in attached.items()),
        ]
        for name, write, content in contents:
            path = directory / name
            make_directory(path.parent)
            write(path, content)
            result.paths.append(path)
            result.written += path.stat().st_size
        if lost:
            raise FormatError(f"damaged; {len(images)} of {len(wanted)} tasks decoded", path=file)

    def _attached(self, reader: Reader, directory: Path, lost: list[SectionError]) -> dict[str, bytes]:
        """Files that are kept beside the images; damage is added to ``lost``."""
        from mtcodec.container import attachments

        try:
            files = attachments.read(reader)
        except SectionError as error:
            lost.append(error)
            return {}
        for name in files:
            refuse_existing(directory / name, self.force)
        return files


def work_of(names: Sequence[str], output: Path | None) -> tuple[list[Work], bool]:
    """Files and the directories of their images, and whether they are several (see ``decode``).

    Raises:
        UsageError: an archive, no files, or two that go to one directory.
        SceneError: a directory without files.
    """
    files = [file for name in names for file in _files_of(name)]
    several = len(names) > 1 or any(Path(name).is_dir() for name in names)
    work = [(file, _directory(file, key, output, several)) for file, key in files]
    files_by_directory: dict[Path, str] = {}
    for file, directory in work:
        if directory in files_by_directory:
            raise UsageError(f"{files_by_directory[directory]} and {file} both go to {directory}")
        files_by_directory[directory] = file
    return work, several


def _files_of(name: str) -> list[tuple[str, str]]:
    """The file ``name``, or the files of that directory, each with its key."""
    from mtcodec.archive.names import is_archive

    if is_archive(name):
        raise UsageError(f"{name} is an archive: mtcodec unpack decodes it")
    path = Path(name)
    if not path.is_dir():
        return [(name, path.stem)]
    files = sorted(path.rglob(f"*{SUFFIX}"))
    if not files:
        raise SceneError(f"no {SUFFIX} files in it", path=path)
    return [(str(file), file.relative_to(path).with_suffix("").as_posix()) for file in files]


def _directory(file: str, key: str, output: Path | None, several: bool) -> Path:
    """Where the images of a file go."""
    if file == "-" and (output is None or several):
        raise UsageError("standard input needs -o DIR, and no other files")
    if output is None:
        output = Path(file).with_suffix("")
        if output == Path(file):
            raise UsageError(f"{file} has no suffix to leave out: name a directory with -o")
    elif several:
        output = output / key
    if str(output) == "-":
        raise UsageError("images go to a directory, not to standard output")
    if output.exists() and not output.is_dir():
        raise OutputError("exists and is not a directory", path=output)
    return output
