"""Rules for what stands in `metadata`: names, labels, annotations, finalizers, owners.

https://kubernetes.io/docs/concepts/overview/working-with-objects/names/
"""

from __future__ import annotations

import re

from deployer.sandbox.kubernetes.errors import Cause, forbidden_field, invalid_value, required, too_long
from deployer.sandbox.kubernetes.objects import Object, each, metadata, section
from deployer.sandbox.kubernetes.resources import Resource

_LABEL = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_SUBDOMAIN = rf"{_LABEL}(\.{_LABEL})*"
_LABEL_1035 = r"[a-z]([-a-z0-9]*[a-z0-9])?"
_QUALIFIED = r"([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]"
_VALUE = rf"({_QUALIFIED})?"
_MIXED = "alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character"
NOT_A_LABEL = (
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with "
    f"an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '{_LABEL}')"
)
NOT_A_SUBDOMAIN = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and "
    f"end with an alphanumeric character (e.g. 'example.com', regex used for validation is '{_SUBDOMAIN}')"
)
NOT_A_1035_LABEL = (
    "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, "
    f"and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is "
    f"'{_LABEL_1035}')"
)
NOT_QUALIFIED = (
    f"name part must consist of {_MIXED} (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is "
    f"'{_QUALIFIED}')"
)
NOT_A_VALUE = (
    f"a valid label must be an empty string or consist of {_MIXED} (e.g. 'MyValue',  or 'my_value',  or '12345', "
    f"regex used for validation is '{_VALUE}')"
)
_ANNOTATIONS_LIMIT = 256 * 1024
_STANDARD_FINALIZERS = ("orphan", "foregroundDeletion", "kubernetes")


def is_label(text: str) -> bool:
    """An RFC 1123 label of at most 63 characters."""
    return len(text) <= 63 and re.fullmatch(_LABEL, text) is not None


def name_problem(resource: Resource, name: str) -> str:
    """What is wrong with the name of an object of this resource; empty when nothing is."""
    if resource.group == "rbac.authorization.k8s.io":
        return "" if name not in (".", "..") and not set(name) & set("/%") else f"may not be or contain {name!r}"
    if resource.kind == "Namespace":
        return "" if is_label(name) else NOT_A_LABEL
    if (resource.group, resource.kind) == ("", "Service"):
        return "" if len(name) <= 63 and re.fullmatch(_LABEL_1035, name) else NOT_A_1035_LABEL
    if len(name) > 253:
        return "must be no more than 253 characters"
    return "" if re.fullmatch(_SUBDOMAIN, name) else NOT_A_SUBDOMAIN


def metadata_causes(resource: Resource, obj: Object) -> list[Cause]:
    """Everything that is wrong with an object's metadata."""
    meta = metadata(obj)
    name = str(meta.get("name") or "")
    if not name:
        return [required("metadata.name", "name or generateName is required")]
    problem = name_problem(resource, name)
    causes = [invalid_value("metadata.name", name, problem)] if problem else []
    causes += label_causes(section(meta, "labels"), "metadata.labels")
    return causes + _annotation_causes(meta) + _finalizer_causes(meta) + _owner_causes(meta)


def label_causes(labels: Object, path: str) -> list[Cause]:
    """Everything that is wrong with a map of labels."""
    causes = []
    for key, value in labels.items():
        if not _is_qualified(key):
            causes.append(invalid_value(path, key, NOT_QUALIFIED))
        if len(str(value)) > 63:
            causes.append(invalid_value(path, value, "must be no more than 63 characters"))
        elif not re.fullmatch(_VALUE, str(value)):
            causes.append(invalid_value(path, value, NOT_A_VALUE))
    return causes


def _is_qualified(key: str) -> bool:
    prefix, slash, name = key.rpartition("/")
    if slash and not (len(prefix) <= 253 and re.fullmatch(_SUBDOMAIN, prefix)):
        return False
    return len(name) <= 63 and re.fullmatch(_QUALIFIED, name) is not None


def _annotation_causes(meta: Object) -> list[Cause]:
    annotations = section(meta, "annotations")
    path = "metadata.annotations"
    causes = [invalid_value(path, key, NOT_QUALIFIED) for key in annotations if not _is_qualified(key.lower())]
    if sum(len(key) + len(str(value)) for key, value in annotations.items()) > _ANNOTATIONS_LIMIT:
        causes.append(too_long(path, f"must have at most {_ANNOTATIONS_LIMIT} bytes"))
    return causes


def _finalizer_causes(meta: Object) -> list[Cause]:
    causes = []
    for index, name in enumerate(meta.get("finalizers") or []):
        path = f"metadata.finalizers[{index}]"
        if not _is_qualified(str(name)):
            causes.append(invalid_value(path, name, NOT_QUALIFIED))
        elif "/" not in str(name) and name not in _STANDARD_FINALIZERS:
            problem = "name is neither a standard finalizer name nor is it fully qualified"
            causes.append(invalid_value(path, name, problem))
    return causes


def _owner_causes(meta: Object) -> list[Cause]:
    return [
        invalid_value(f"metadata.ownerReferences.{key}", "", "must not be empty")
        for owner in each(meta, "ownerReferences")
        for key in ("apiVersion", "kind", "name", "uid")
        if not owner.get(key)
    ]


def metadata_update_causes(old: Object, new: Object) -> list[Cause]:
    """What an update may not do to metadata."""
    before, after = metadata(old), metadata(new)
    causes = [
        invalid_value(f"metadata.{key}", after.get(key), "field is immutable")
        for key in ("name", "namespace", "uid", "creationTimestamp")
        if before.get(key) != after.get(key)
    ]
    added = set(after.get("finalizers") or []) - set(before.get("finalizers") or [])
    if before.get("deletionTimestamp") and added:
        listed = ", ".join(f'"{name}"' for name in sorted(added))
        detail = "no new finalizers can be added if the object is being deleted, found new finalizers "
        causes.append(forbidden_field("metadata.finalizers", f"{detail}[]string{{{listed}}}"))
    return causes
