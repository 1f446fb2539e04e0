"""What a kustomization names: files, folders, charts, places elsewhere. Pure: text in, references out.

Follows the fields of kustomize 5 (https://kubectl.docs.kubernetes.io/references/kustomize/kustomization/) and of the
generators and transformers that it has built in. A field that is in neither list is said to be unknown, never skipped.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from itertools import islice
from typing import Final

from deployer.model import JSON
from deployer.source import charts, fields, scalars
from deployer.source.goyaml import Unreadable, documents
from deployer.source.reference import Reference, Role

MOST: Final = 5000
"""References of one file."""

_MOST_VALUES: Final = 200_000
"""Of one file. The largest of real ones, with patches written out in them, have some thousands."""


FIELDS: Final = frozenset({
    "apiversion", "kind", "metadata", "namespace", "nameprefix", "namesuffix", "labels",
    "commonlabels", "commonannotations", "images", "imagetags", "replicas", "vars", "generatoroptions", "sortoptions",
    "buildmetadata",
})  # fmt: skip
"""Fields that name nothing to read. Lower case: kustomize's JSON decoder does not tell case apart."""

_FUNCTION_MARKS: Final = ("config.kubernetes.io/function", "config.k8s.io/function")

Follow = Callable[[str, JSON], Iterator[Reference]]


def of_kustomization(text: bytes) -> tuple[Reference, ...]:
    """What a kustomization names, in the order in which it does.

    Raises:
        Unreadable: it is not YAML, names too much, or says what cannot be told apart from something forbidden.
    """
    return _bounded(text, (each for document in documents(text, most=_MOST_VALUES) for each in _document(document)))


def of_plugins(text: bytes) -> tuple[Reference, ...]:
    """What the configurations of generators, transformers or validators in one file name.

    Raises:
        Unreadable: as `of_kustomization`.
    """
    return _bounded(text, _configurations(text))


def _bounded(text: bytes, found: Iterator[Reference]) -> tuple[Reference, ...]:
    try:
        references = tuple(islice(found, MOST + 1))
    except Unreadable as error:
        line = scalars.lines(text, {error.at}).get(error.at) if error.at else None
        raise Unreadable(f"line {line}: {error}" if line else str(error)) from error
    finally:
        _written.cache_clear()
    if len(references) > MOST:
        raise Unreadable(f"it names more than {MOST:,} files and folders")
    return tuple(dict.fromkeys(references))


def _document(document: JSON) -> Iterator[Reference]:
    if isinstance(document, dict):
        for field, value in fields.unambiguous(document).items():
            yield from _field(field, value, document)


def _field(field: str, value: JSON, document: Mapping[str, JSON]) -> Iterator[Reference]:
    name = field.casefold()
    if name == "helmcharts":
        yield from _helm_charts(field, value, home=_home_of_charts(document))
        return
    if name in FIELDS:
        return
    follow = _FOLLOWED.get(name)
    if follow is None:
        yield Reference(Role.UNKNOWN, "", field)
        return
    yield from follow(field, value)


def _each(role: Role) -> Follow:
    """A field with a list of paths."""

    def follow(field: str, value: JSON) -> Iterator[Reference]:
        return (Reference(role, path, field) for path in fields.texts(value))

    return follow


def _within(*names: str) -> Follow:
    """A field with one mapping, or a list of them, in which some keys hold the path of a file, or several."""

    def follow(field: str, value: JSON) -> Iterator[Reference]:
        for mapping in fields.mappings(value):
            for name in names:
                yield from _paths(mapping, name, field)

    return follow


def _paths(mapping: Mapping[str, JSON], name: str, field: str) -> Iterator[Reference]:
    return (Reference(Role.FILE, path, field) for value in fields.values(mapping, name) for path in fields.texts(value))


def _patches(field: str, value: JSON) -> Iterator[Reference]:
    """Each is a patch that is written out, or else the path of a file."""
    for entry in fields.texts(value):
        if _written(entry):
            yield from _mistaken(Role.FILE, entry, field)
        else:
            yield Reference(Role.FILE, entry, field)


def _plugins(field: str, value: JSON) -> Iterator[Reference]:
    """Each is a configuration that is written out, or else a path."""
    for entry in fields.texts(value):
        if _written(entry):
            yield from _mistaken(Role.PLUGIN, entry, field)
            yield from _configurations(entry.encode(errors="replace"))
        else:
            yield Reference(Role.PLUGIN, entry, field)


def _mistaken(role: Role, entry: str, field: str) -> Iterator[Reference]:
    """What kustomize takes for a path after all if something in it displeases: that, too, may not lead out."""
    if _LEADING.match(entry) or ".." in entry.split("/"):
        yield Reference(role, entry, field, optional=True)


def _generators(field: str, value: JSON) -> Iterator[Reference]:
    """ConfigMaps and Secrets out of files; an entry of `files` is a path or `key=path`."""
    for mapping in fields.mappings(value):
        for entries in fields.values(mapping, "files"):
            for entry in fields.texts(entries):
                yield Reference(Role.FILE, entry.partition("=")[2] or entry, field)
        for name in ("envs", "env"):
            yield from _paths(mapping, name, field)


def _helm_globals(field: str, value: JSON) -> Iterator[Reference]:
    for mapping in fields.mappings(value):
        charts.check_globals(mapping)
        yield Reference(Role.CHARTS, fields.text(mapping, "chartHome") or "charts", field)


def _home_of_charts(document: Mapping[str, JSON]) -> str:
    settings = (each for value in fields.values(document, "helmGlobals") for each in fields.mappings(value))
    return next((fields.text(each, "chartHome") for each in settings), "")


def _helm_charts(field: str, value: JSON, home: str = "") -> Iterator[Reference]:
    """Charts below `chartHome` (here or in helmGlobals, whose is `home`) or out of a `repo`, with their values."""
    if value in ([], {}, None):
        return
    yield Reference(Role.HELM, "", field)
    yield Reference(Role.CHARTS, "charts", field)
    for chart in fields.mappings(value):
        charts.check(chart)
        if own := fields.text(chart, "chartHome"):
            yield Reference(Role.CHARTS, own, field)
        for name in ("valuesFile", "additionalValuesFiles"):
            yield from _paths(chart, name, field)
        if repository := fields.text(chart, "repo"):
            version, name = fields.text(chart, "version"), fields.text(chart, "name")
            folder = posixpath.join(own or home or "charts", f"{name}-{version}/{name}" if version else name)
            yield Reference(Role.REMOTE, repository, field, unless=folder)


def _older_helm_charts(field: str, _: JSON) -> Iterator[Reference]:
    raise Unreadable("this field is of kustomize 3 and no longer followed; write helmCharts instead", at=field)


_FOLLOWED: Final[Mapping[str, Follow]] = {
    "resources": _each(Role.RESOURCE),
    "bases": _each(Role.FOLDER),
    "components": _each(Role.FOLDER),
    "crds": _each(Role.FILE),
    "configurations": _each(Role.FILE),
    "patches": _within("path"),
    "patchesjson6902": _within("path"),
    "patchesstrategicmerge": _patches,
    "replacements": _within("path"),
    "openapi": _within("path"),
    "configmapgenerator": _generators,
    "secretgenerator": _generators,
    "generators": _plugins,
    "transformers": _plugins,
    "validators": _plugins,
    "helmglobals": _helm_globals,
    "helmchartinflationgenerator": _older_helm_charts,
}
"""How to read the fields that name something, by their name in lower case."""

_BUILT_IN: Final[Mapping[str, Mapping[str, Follow]]] = {
    "AnnotationsTransformer": {},
    "HashTransformer": {},
    "IAMPolicyGenerator": {},
    "ImageTagTransformer": {},
    "LabelTransformer": {},
    "LegacyOrderTransformer": {},
    "NamespaceTransformer": {},
    "PatchJson6902Transformer": {"path": _each(Role.FILE)},
    "PatchStrategicMergeTransformer": {"paths": _patches},
    "PatchTransformer": {"path": _each(Role.FILE)},
    "PrefixSuffixTransformer": {},
    "PrefixTransformer": {},
    "ReplacementTransformer": {"replacements": _within("path")},
    "ReplicaCountTransformer": {},
    "SortOrderTransformer": {},
    "SuffixTransformer": {},
    "ValueAddTransformer": {"targetFilePath": _each(Role.FILE)},
}
"""The keys that name something, by the kind of a configuration with apiVersion `builtin`."""

_MADE: Final[Mapping[str, Follow]] = {
    "ConfigMapGenerator": _generators,
    "SecretGenerator": _generators,
    "HelmChartInflationGenerator": _helm_charts,
}

_SEPARATOR: Final = re.compile(rb"(?m)^---\S")
"""What separates documents to kustomize alone, if a comment follows."""

_LEADING: Final = re.compile(r"(?i)/|https?:|[a-z]+://|git::|github\.com|[a-z][a-z0-9-]*@")


def _configurations(text: bytes) -> Iterator[Reference]:
    """kustomize has another reader for these: names count in their exact case, and `<<` merges differently."""
    if scalars.merges(text):
        raise Unreadable("a << is read differently by different readers; write out what it merges", at="<<")
    if _SEPARATOR.search(text):
        raise Unreadable("a line begins with --- and more; separate documents by --- alone")
    for document in documents(text, most=_MOST_VALUES):
        yield from _configuration(document)


def _configuration(document: JSON) -> Iterator[Reference]:
    """What one configuration names."""
    if not isinstance(document, dict):
        return
    kind, api_version, items = document.get("kind"), document.get("apiVersion"), document.get("items")
    name = kind if isinstance(kind, str) and kind else "kind"
    fields.unambiguous(document)
    if name.endswith("List") and isinstance(items, list):
        for item in items:
            yield from _configuration(item)
    elif mark := next((mark for mark in _FUNCTION_MARKS if mark in _annotations(document)), None):
        yield Reference(Role.FUNCTION, "", mark)
    elif api_version != "builtin":
        yield Reference(Role.FUNCTION, "", name)
    elif name in _MADE:
        yield from _MADE[name](name, document)
    elif name in _BUILT_IN:
        for key, follow in _BUILT_IN[name].items():
            for value in fields.values(document, key):
                yield from follow(key, value)
    else:
        yield Reference(Role.UNKNOWN, "", name)


@lru_cache(maxsize=4096)
def _written(entry: str) -> bool:
    """Whether objects are written out in `entry`, as far as kustomize reads it as such: each has a kind and a name."""
    try:
        found = [each for each in documents(entry.encode(errors="replace"), most=_MOST_VALUES) if each is not None]
    except Unreadable:
        return False
    return bool(found) and all(_is_object(document) for document in found)


def _is_object(document: JSON) -> bool:
    if not isinstance(document, dict):
        return False
    kind, metadata = document.get("kind"), document.get("metadata")
    if not isinstance(kind, str) or not kind:
        return False
    name = metadata.get("name") if isinstance(metadata, dict) else None
    return (isinstance(name, str) and bool(name)) or (kind.endswith("List") and isinstance(document.get("items"), list))


def _annotations(document: Mapping[str, JSON]) -> Mapping[str, JSON]:
    metadata = document.get("metadata")
    annotations = metadata.get("annotations") if isinstance(metadata, dict) else None
    return annotations if isinstance(annotations, dict) else {}
