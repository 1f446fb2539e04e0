"""What a kustomization names: files, folders, charts, places elsewhere. Pure: text in, references out.

Follows the fields of kustomize 5 (https://kubectl.docs.kubernetes.io/references/kustomize/kustomization/) and of the
generators and transformers that it has built in. A field that is in neither list is said to be unknown, never skipped.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from deployer.model import JSON
from deployer.source.goyaml import Unreadable, documents


class Role(StrEnum):
    """What a reference is taken for."""

    FILE = "file"
    FOLDER = "folder"
    """With a kustomization of its own."""
    RESOURCE = "resource"
    """A file or such a folder."""
    PLUGIN = "plugin"
    """A file with the configuration of a generator, transformer or validator, or a folder that makes some."""
    CHARTS = "charts"
    """A folder with all that is in it; it need not be there."""
    HELM = "helm"
    """No place, but the wish to run helm."""
    REMOTE = "remote"
    """A place elsewhere, whatever it looks like."""
    FUNCTION = "function"
    """No place, but a program or container to run."""
    UNKNOWN = "unknown"
    """A field of which nobody knows what it reads."""


@dataclass(frozen=True, slots=True)
class Reference:
    """One entry of a kustomization."""

    role: Role
    path: str
    """As it is written; empty where the role has none."""
    field: str
    unless: str = ""
    """The reference is not followed if this folder is there, in one of the folders of charts."""


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
        Unreadable: it is not YAML.
    """
    return tuple(
        reference
        for document in documents(text)
        if isinstance(document, dict)
        for field, value in document.items()
        for reference in _field(field, value)
    )


def of_plugins(text: bytes) -> tuple[Reference, ...]:
    """What the configurations of generators, transformers or validators in one file name.

    Raises:
        Unreadable: it is not YAML.
    """
    return tuple(reference for document in documents(text) for reference in _configuration(document))


def _field(field: str, value: JSON) -> Iterator[Reference]:
    name = field.casefold()
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
        return (Reference(role, path, field) for path in _texts(value))

    return follow


def _within(*names: str) -> Follow:
    """A field with one mapping, or a list of them, in which some keys hold the path of a file, or several."""

    def follow(field: str, value: JSON) -> Iterator[Reference]:
        for mapping in _mappings(value):
            for name in names:
                yield from _paths(mapping, name, field)

    return follow


def _paths(mapping: Mapping[str, JSON], name: str, field: str) -> Iterator[Reference]:
    return (Reference(Role.FILE, path, field) for value in _values(mapping, name) for path in _texts(value))


def _patches(field: str, value: JSON) -> Iterator[Reference]:
    """Each is the path of a file or a patch that is written out."""
    return (Reference(Role.FILE, path, field) for path in _texts(value) if not _objects(path))


def _plugins(field: str, value: JSON) -> Iterator[Reference]:
    """Each is a path or a configuration that is written out."""
    for entry in _texts(value):
        if written := _objects(entry):
            for configuration in written:
                yield from _configuration(configuration)
        else:
            yield Reference(Role.PLUGIN, entry, field)


def _generators(field: str, value: JSON) -> Iterator[Reference]:
    """ConfigMaps and Secrets out of files; an entry of `files` is a path or `key=path`."""
    for mapping in _mappings(value):
        for entries in _values(mapping, "files"):
            for entry in _texts(entries):
                yield Reference(Role.FILE, entry.partition("=")[2] or entry, field)
        for name in ("envs", "env"):
            yield from _paths(mapping, name, field)


def _helm_globals(field: str, value: JSON) -> Iterator[Reference]:
    for mapping in _mappings(value):
        yield Reference(Role.CHARTS, _text(mapping, "chartHome") or "charts", field)
        if folder := _text(mapping, "configHome"):
            yield Reference(Role.CHARTS, folder, field)


def _helm_charts(field: str, value: JSON) -> Iterator[Reference]:
    """Charts below `chartHome` (here or in helmGlobals) or out of a `repo`, with their files of values."""
    yield Reference(Role.HELM, "", field)
    yield Reference(Role.CHARTS, "charts", field)
    for chart in _mappings(value):
        if home := _text(chart, "chartHome"):
            yield Reference(Role.CHARTS, home, field)
        for name in ("valuesFile", "additionalValuesFiles"):
            yield from _paths(chart, name, field)
        if repository := _text(chart, "repo"):
            version, name = _text(chart, "version"), _text(chart, "name")
            yield Reference(Role.REMOTE, repository, field, unless=f"{name}-{version}/{name}" if version else name)


def _replacements(field: str, value: JSON) -> Iterator[Reference]:
    return _within("path")(field, value)


_FOLLOWED: Final[Mapping[str, Follow]] = {
    "resources": _each(Role.RESOURCE),
    "bases": _each(Role.FOLDER),
    "components": _each(Role.FOLDER),
    "crds": _each(Role.FILE),
    "configurations": _each(Role.FILE),
    "patches": _within("path"),
    "patchesjson6902": _within("path"),
    "patchesstrategicmerge": _patches,
    "replacements": _replacements,
    "openapi": _within("path"),
    "configmapgenerator": _generators,
    "secretgenerator": _generators,
    "generators": _plugins,
    "transformers": _plugins,
    "validators": _plugins,
    "helmglobals": _helm_globals,
    "helmcharts": _helm_charts,
}
"""How to read the fields that name something, by their name in lower case."""

_BUILT_IN: Final[Mapping[str, tuple[str, ...]]] = {
    "AnnotationsTransformer": (),
    "HashTransformer": (),
    "IAMPolicyGenerator": (),
    "ImageTagTransformer": (),
    "LabelTransformer": (),
    "LegacyOrderTransformer": (),
    "NamespaceTransformer": (),
    "PatchJson6902Transformer": ("path",),
    "PatchStrategicMergeTransformer": ("paths",),
    "PatchTransformer": ("path",),
    "PrefixSuffixTransformer": (),
    "PrefixTransformer": (),
    "ReplicaCountTransformer": (),
    "SortOrderTransformer": (),
    "SuffixTransformer": (),
    "ValueAddTransformer": ("targetFilePath",),
}
"""The keys that hold paths, by the kind of a configuration with apiVersion `builtin`."""

_MADE: Final[Mapping[str, Follow]] = {
    "ConfigMapGenerator": _generators,
    "SecretGenerator": _generators,
    "HelmChartInflationGenerator": _helm_charts,
}


def _configuration(document: JSON) -> Iterator[Reference]:
    """What one configuration names."""
    if not isinstance(document, dict):
        return
    kind, api_version = _text(document, "kind"), _text(document, "apiVersion")
    items = document.get("items")
    if kind.endswith("List") and isinstance(items, list):
        for item in items:
            yield from _configuration(item)
    elif mark := next((mark for mark in _FUNCTION_MARKS if mark in _annotations(document)), None):
        yield Reference(Role.FUNCTION, "", mark)
    elif api_version != "builtin":
        yield Reference(Role.FUNCTION, "", kind or "kind")
    elif kind == "ReplacementTransformer":
        for value in _values(document, "replacements"):
            yield from _replacements("replacements", value)
    elif kind in _MADE:
        yield from _MADE[kind](kind, document)
    elif kind in _BUILT_IN:
        yield from _patches_of(document, kind)
    else:
        yield Reference(Role.UNKNOWN, "", kind)


def _patches_of(document: Mapping[str, JSON], kind: str) -> Iterator[Reference]:
    for name in _BUILT_IN[kind]:
        for value in _values(document, name):
            yield from _patches(name, value)


def _objects(text: str) -> list[JSON]:
    """The objects that are written out in `text`; none when it is the path of a file."""
    try:
        return [document for document in documents(text.encode(errors="replace")) if isinstance(document, dict | list)]
    except Unreadable:
        return []


def _annotations(document: Mapping[str, JSON]) -> Mapping[str, JSON]:
    metadata = document.get("metadata")
    annotations = metadata.get("annotations") if isinstance(metadata, dict) else None
    return annotations if isinstance(annotations, dict) else {}


def _values(mapping: Mapping[str, JSON], name: str) -> Iterator[JSON]:
    """What stands under a name, however it is spelled."""
    folded = name.casefold()
    return (value for key, value in mapping.items() if key.casefold() == folded)


def _text(mapping: Mapping[str, JSON], name: str) -> str:
    return next((value for value in _values(mapping, name) if isinstance(value, str)), "")


def _texts(value: JSON) -> Iterable[str]:
    """The texts in a list, or the one that is there instead."""
    entries = value if isinstance(value, list) else [value]
    return [entry for entry in entries if isinstance(entry, str) and entry]


def _mappings(value: JSON) -> Iterable[Mapping[str, JSON]]:
    entries = value if isinstance(value, list) else [value]
    return [entry for entry in entries if isinstance(entry, dict)]
