"""What git wants of each object, in the form in which it is applied and compared. Pure."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import replace

from deployer.cluster.applyset import group_kind
from deployer.model import JSON, PART_OF, Manifest

RECREATE = "deployer/recreate"
PRUNE = "deployer/prune"
APPLY = "deployer/apply"
IF_ABSENT = "if-absent"
_WEBHOOK_BUNDLE = (("webhooks", "*", "clientConfig", "caBundle"),)
_FILLED_IN = {
    "Service": (("spec", "clusterIP"),),
    "ValidatingWebhookConfiguration.admissionregistration.k8s.io": _WEBHOOK_BUNDLE,
    "MutatingWebhookConfiguration.admissionregistration.k8s.io": _WEBHOOK_BUNDLE,
    "CustomResourceDefinition.apiextensions.k8s.io": (("spec", "conversion", "webhook", "clientConfig", "caBundle"),),
    "APIService.apiregistration.k8s.io": (("spec", "caBundle"),),
}
"""By kind, where generators write something blank that the cluster fills in, or for instance cert-manager does."""


def member(manifest: Manifest, *, applyset: str) -> Manifest:
    """A manifest as a member of a set: with the set's label.

    A Secret's stringData becomes data, which is what the API server makes of it. It is written only, so as stringData
    it could neither be compared nor taken away again. What only holds the place of something that a controller fills
    in is left out: applying it would take that away each time.
    """
    content = dict(manifest.content)
    metadata = dict(_mapping(content.get("metadata")))
    metadata["labels"] = {**_mapping(metadata.get("labels")), PART_OF: applyset}
    content["metadata"] = metadata
    if manifest.ref.kind == "Secret" and manifest.ref.api_version == "v1":
        _encode(content)
    kind = group_kind(manifest.ref.api_version, manifest.ref.kind)
    if kind == "ClusterRole.rbac.authorization.k8s.io" and content.get("aggregationRule"):
        content.pop("rules", None)
    for path in _FILLED_IN.get(kind, ()):
        content = dict(_mapping(_without_blank(content, path)))
    return replace(manifest, content=content)


def goes_by_itself(manifest: Manifest) -> bool:
    """Whether an object is deleted by the cluster a time after it ended, as a Job can ask for.

    https://kubernetes.io/docs/concepts/workloads/controllers/ttlafterfinished/
    """
    spec = _mapping(manifest.content.get("spec"))
    is_job = group_kind(manifest.ref.api_version, manifest.ref.kind) == "Job.batch"
    return is_job and spec.get("ttlSecondsAfterFinished") is not None


def asks(content: Mapping[str, JSON], name: str) -> str:
    """What an object says in one of our annotations, in lower case; empty when it does not have it."""
    return annotation(content, name).lower()


def annotation(content: Mapping[str, JSON], name: str) -> str:
    """What an object says in an annotation; empty when it does not have it."""
    annotations = _mapping(_mapping(content.get("metadata")).get("annotations"))
    return str(annotations.get(name, "")).strip()


def _encode(content: dict[str, JSON]) -> None:
    """Left as it is when it is not well-formed: what is wrong with it, the API server says."""
    plain = content.get("stringData")
    data = content.get("data") or {}
    if not isinstance(plain, dict) or not isinstance(data, dict) or not all(isinstance(v, str) for v in plain.values()):
        return
    del content["stringData"]
    encoded = {
        key: base64.b64encode(str(value).encode("utf-8", "surrogatepass")).decode() for key, value in plain.items()
    }
    content["data"] = {**data, **encoded}


def _without_blank(value: JSON, path: tuple[str, ...]) -> JSON:
    """A value without the text at a path, if there is nothing but space in it, in Base64 or not."""
    if isinstance(value, list):
        return [_without_blank(item, path[1:]) for item in value]
    if not isinstance(value, dict) or path[0] not in value:
        return value
    rest = {key: item for key, item in value.items() if key != path[0]}
    if len(path) > 1:
        return {**rest, path[0]: _without_blank(value[path[0]], path[1:])}
    return rest if _is_blank(value[path[0]]) else value


def _is_blank(text: JSON) -> bool:
    try:
        return isinstance(text, str) and not base64.b64decode(text.strip(), validate=True).strip()
    except ValueError:
        return False


def _mapping(value: JSON) -> Mapping[str, JSON]:
    return value if isinstance(value, dict) else {}
