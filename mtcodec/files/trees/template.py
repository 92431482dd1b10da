"""Templates of paths, by which people say how a dataset is to be read: ``--pattern``.

``{scene}/{task}_{camera}/{frame}.{ext}``: ``{task}`` and ``{ext}`` are what they say; all other fields, in
their order and with ``/`` between them, make the scene's name. A field stands for part of one name, ``*`` for
what does not matter there, ``**/`` for any directories. Two fields of one name are equal; ``.{ext}`` at the
end goes without saying. What does not match is left out.
"""

from __future__ import annotations

import re
from collections import defaultdict

from mtcodec.errors import SceneError, UsageError
from mtcodec.files.formats import SUFFIXES
from mtcodec.files.trees.listing import Listing
from mtcodec.files.trees.search import SceneFiles, Search
from mtcodec.tasks import ALIASES

_PART = re.compile(r"\{(?P<field>[^{}]*)\}|(?P<directories>\*\*/)|(?P<any>\*)|(?P<text>[^{}*]+|.)", re.DOTALL)
_FIELD = re.compile(r"[a-z_][a-z0-9_]*")
TASK, SUFFIX = "task", "ext"


def find(search: Search, root: Listing, pattern: str) -> list[SceneFiles]:
    """Scenes of the images whose paths ``pattern`` matches.

    Raises:
        UsageError: not such a pattern.
        SceneError: it matches nothing, or two images for one task of a scene.
    """
    regex, fields = compile_pattern(pattern, [*search.naming.declared, *ALIASES, *search.naming.renamed])
    images_by_key: defaultdict[str, list[tuple[str, str]]] = defaultdict(list)
    an_image = ""
    for prefix, listing in root.walk():
        search.other_files += listing.other_files
        for _, path in listing.images:
            path_in_dataset = prefix + path.rpartition("/")[2]
            an_image = an_image or path_in_dataset
            match = regex.fullmatch(path_in_dataset)
            if match:
                key = "/".join(match[field] for field in fields) or search.dataset.resolve().stem
                images_by_key[key].append((match[TASK], path))
            else:
                search.misfits.append(path)
    if not images_by_key:
        hint = f"; one of its images is {an_image}" if an_image else ", and it holds no images"
        raise SceneError(f"no image has a path like {pattern!r}{hint}", path=search.dataset)
    return [search.scene(key, images, search.label(key)) for key, images in images_by_key.items()]


def compile_pattern(pattern: str, names: list[str]) -> tuple[re.Pattern[str], list[str]]:
    """The regular expression of a template, and the fields that make the scene's name.

    Args:
        names: of tasks, which count before any other reading of a path.

    Raises:
        UsageError: no ``{task}``, or something that is no field.
    """
    fields: list[str] = []
    regex = ""
    if not pattern.lower().endswith((*SUFFIXES, "*", f"{{{SUFFIX}}}")):
        pattern += f".{{{SUFFIX}}}"
    for part in _PART.finditer(pattern):
        field = part["field"]
        if part["text"] in ("{", "}") or (field is not None and not _FIELD.fullmatch(field)):
            raise UsageError(f"not a pattern: {pattern!r} ({part[0]} is no field such as {{scene}})")
        if field in fields or (field is not None and f"(?P<{field}>" in regex):
            regex += f"(?P={field})"
        elif field == TASK:
            known = "|".join(re.escape(name) for name in sorted(names, key=len, reverse=True))
            regex += f"(?P<{TASK}>(?i:{known})s?|[^/]+?)"
        elif field == SUFFIX:
            regex += f"(?P<{SUFFIX}>[^./]+)"
        elif field is not None:
            fields.append(field)
            regex += f"(?P<{field}>[^/]+?)"
        elif part["directories"]:
            regex += "(?:.*/)?"
        else:
            regex += "[^/]*" if part["any"] else re.escape(part["text"])
    if f"(?P<{TASK}>" not in regex:
        raise UsageError(f"not a pattern: {pattern!r} (it has no {{task}})")
    return re.compile(regex, re.DOTALL), fields
