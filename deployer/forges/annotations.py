"""What is wrong with an overlay, as notes at lines of the repository. Pure.

Whoever says it names the place: kustomize and we in the message, of objects the line was looked for. What has none
stands at the kustomization.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from deployer.model import Action, Annotation, ObjectResult

MOST = 50

_PLACE = re.compile(
    r"(?<![\w./-])(?P<path>(?:[\w.@+-]+/)*(?:[\w.@+-]+\.(?:ya?ml|json|env|properties|conf|txt)|[Kk]ustomization))"
    r"(?::(?P<line>[1-9]\d{0,6}))?(?=[\s:,;'\")]|$)"
)
_LINE = re.compile(r"\bline (?P<line>[1-9]\d{0,6})\b")


def of_render(message: str, *, overlay: str) -> tuple[Annotation, ...]:
    """The places in files that a message names, as in `base/kustomization.yaml:4: …; web.yaml: yaml: line 7: …`.

    Args:
        message: why an overlay cannot be rendered.
        overlay: its folder.
    """
    return tuple(_places(message))[:MOST] or (Annotation(_kustomization(overlay), 1, message),)


def of_objects(results: Sequence[ObjectResult], *, overlay: str) -> tuple[Annotation, ...]:
    """The lines that the objects which failed were made from.

    Args:
        results: of all objects.
        overlay: the folder of the overlay.
    """
    failed = [each for each in results if each.action is Action.FAILED]
    return tuple(_at(each, _kustomization(overlay)) for each in failed[:MOST])


def _kustomization(overlay: str) -> str:
    return "kustomization.yaml" if overlay == "." else f"{overlay}/kustomization.yaml"


def _at(result: ObjectResult, kustomization: str) -> Annotation:
    file, _, number = result.source.rpartition(":")
    return Annotation(file or kustomization, int(number or 1), f"{result.ref}: {result.message}")


def _places(message: str) -> Iterator[Annotation]:
    for part in message.split("; "):
        found = next((each for each in _PLACE.finditer(part) if _inside(each["path"])), None)
        if found is not None:
            counted = _LINE.search(part, found.end()) or _LINE.search(part)
            yield Annotation(found["path"], int(found["line"] or (counted["line"] if counted else 1)), part)


def _inside(path: str) -> bool:
    return not {".", ".."} & set(path.split("/"))
