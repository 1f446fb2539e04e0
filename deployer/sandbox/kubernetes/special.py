"""Demands of single kinds that no schema says: selectors that match, ports with names, data that is base64.

Kinds that are not in the table have none. The words are the real API server's.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from deployer.sandbox.kubernetes.errors import Cause, invalid_value, required, too_long, unsupported
from deployer.sandbox.kubernetes.names import label_causes
from deployer.sandbox.kubernetes.objects import Object, at, each, metadata, name_of, section
from deployer.sandbox.kubernetes.quantity import as_number
from deployer.sandbox.kubernetes.resources import Resource

_DATA_LIMIT = 1024 * 1024
_CONFIG_KEY = "[-._a-zA-Z0-9]+"
_NOT_A_KEY = (
    "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  "
    f"or 'key-name', regex used for validation is '{_CONFIG_KEY}')"
)
_SECRET_KEYS = {
    "kubernetes.io/tls": ("tls.crt", "tls.key"),
    "kubernetes.io/dockerconfigjson": (".dockerconfigjson",),
    "kubernetes.io/dockercfg": (".dockercfg",),
    "kubernetes.io/ssh-auth": ("ssh-privatekey",),
}


def special_causes(resource: Resource, obj: Object) -> list[Cause]:
    """What is wrong with an object by the demands of its kind."""
    check = _CHECKS.get((resource.group, resource.kind))
    return list(check(obj)) if check else []


def _selecting(obj: Object) -> Iterator[Cause]:
    """Workloads whose selector must match the labels of their own pods."""
    spec = section(obj, "spec")
    labels = at(spec, "template", "metadata", "labels") or {}
    wanted = at(spec, "selector", "matchLabels") or {}
    if "selector" in spec and not spec["selector"]:
        yield invalid_value("spec.selector", {}, "empty selector is invalid for deployment")
    if any(labels.get(key) != value for key, value in wanted.items()) or "selector" not in spec:
        yield invalid_value("spec.template.metadata.labels", labels, "`selector` does not match template `labels`")
    yield from label_causes(labels, "spec.template.metadata.labels")
    policy = at(spec, "template", "spec", "restartPolicy")
    if policy in ("Never", "OnFailure"):
        yield unsupported("spec.template.spec.restartPolicy", policy, ("Always",))
    yield from _pod_spec(at(spec, "template", "spec") or {}, "spec.template.spec")


def _pod(obj: Object) -> Iterator[Cause]:
    yield from _pod_spec(section(obj, "spec"), "spec")


def _pod_spec(spec: Object, path: str) -> Iterator[Cause]:
    volumes = {volume.get("name") for volume in each(spec, "volumes")}
    claims = spec.get("volumes") is None and "volumeClaimTemplates" in spec
    for index, container in enumerate(each(spec, "containers")):
        below = f"{path}.containers[{index}]"
        for number, mount in enumerate(each(container, "volumeMounts")):
            if not claims and mount.get("name") not in volumes:
                shown = mount.get("name")
                yield Cause(f"{below}.volumeMounts[{number}].name", "FieldValueNotFound", f'Not found: "{shown}"')
        resources = section(container, "resources")
        limits = section(resources, "limits")
        for name, amount in section(resources, "requests").items():
            if name in limits and as_number(str(amount)) > as_number(str(limits[name])):
                yield invalid_value(
                    f"{below}.resources.requests",
                    amount,
                    f"must be less than or equal to {name} limit of {limits[name]}",
                )


def _stateful_set(obj: Object) -> Iterator[Cause]:
    claimed = [{"name": name_of(claim)} for claim in each(section(obj, "spec"), "volumeClaimTemplates")]
    pod = at(obj, "spec", "template", "spec") or {}
    merged = pod | {"volumes": [*each(pod, "volumes"), *claimed]}
    spec = section(obj, "spec")
    template = section(spec, "template") | {"spec": merged}
    yield from _selecting(obj | {"spec": spec | {"template": template}})


def _job(obj: Object) -> Iterator[Cause]:
    yield from _job_template(section(obj, "spec"), "spec")


def _job_template(spec: Object, path: str) -> Iterator[Cause]:
    policy = at(spec, "template", "spec", "restartPolicy")
    where = f"{path}.template.spec.restartPolicy"
    if policy is None:
        yield required(where, 'valid values: "OnFailure", "Never"')
    elif policy == "Always":
        yield unsupported(where, policy, ("OnFailure", "Never"))
    yield from _pod_spec(at(spec, "template", "spec") or {}, f"{path}.template.spec")


def _cron_job(obj: Object) -> Iterator[Cause]:
    schedule = str(at(obj, "spec", "schedule") or "")
    fields = schedule.split()
    if (
        not re.match(r"@(every .+|yearly|annually|monthly|weekly|daily|midnight|hourly)$", schedule)
        and len(fields) != 5
    ):
        problem = f"expected exactly 5 fields, found {len(fields)}: {fields}"
        yield invalid_value("spec.schedule", schedule, problem)
    yield from _job_template(at(obj, "spec", "jobTemplate", "spec") or {}, "spec.jobTemplate.spec")


def _service(obj: Object) -> Iterator[Cause]:
    spec = section(obj, "spec")
    ports = each(spec, "ports")
    if not ports and spec.get("type") != "ExternalName" and spec.get("clusterIP") != "None":
        yield required("spec.ports")
    if len(ports) > 1:
        for index, port in enumerate(ports):
            if not port.get("name"):
                yield required(f"spec.ports[{index}].name")
    if spec.get("type") == "ExternalName" and not spec.get("externalName"):
        yield required("spec.externalName")


def _config_map(obj: Object) -> Iterator[Cause]:
    data, binary = section(obj, "data"), section(obj, "binaryData")
    yield from _keys(data, "data")
    yield from _keys(binary, "binaryData")
    for key in sorted(data.keys() & binary.keys()):
        yield invalid_value(f"data[{key}]", key, "duplicate of key present in binaryData")
    if sum(len(str(value)) for value in [*data.values(), *binary.values()]) > _DATA_LIMIT:
        yield too_long("[]", f"must have at most {_DATA_LIMIT} bytes")


def _secret(obj: Object) -> Iterator[Cause]:
    data = section(obj, "data")
    yield from _keys(data, "data")
    for key in _SECRET_KEYS.get(str(obj.get("type")), ()):
        if key not in data:
            yield required(f"data[{key}]")
    if sum(len(str(value)) for value in data.values()) * 3 // 4 > _DATA_LIMIT:
        yield too_long("data", f"must have at most {_DATA_LIMIT} bytes")


def _keys(data: Object, path: str) -> Iterator[Cause]:
    for key in data:
        if not re.fullmatch(_CONFIG_KEY, key) or len(key) > 253:
            yield invalid_value(f"{path}[{key}]", key, _NOT_A_KEY)


def _claim(obj: Object) -> Iterator[Cause]:
    spec = section(obj, "spec")
    if not spec.get("accessModes"):
        yield required("spec.accessModes", "at least 1 access mode is required")
    if at(spec, "resources", "requests", "storage") is None:
        yield required("spec.resources[storage]")


def _ingress(obj: Object) -> Iterator[Cause]:
    spec = section(obj, "spec")
    if not (spec.get("rules") or spec.get("defaultBackend")):
        yield invalid_value("spec", [], "either `defaultBackend` or `rules` must be specified")


def _definition(obj: Object) -> Iterator[Cause]:
    spec = section(obj, "spec")
    expected = f"{at(spec, 'names', 'plural')}.{spec.get('group')}"
    if metadata(obj).get("name") != expected:
        yield invalid_value("metadata.name", metadata(obj).get("name"), 'must be spec.names.plural+"."+spec.group')
    for index, version in enumerate(each(spec, "versions")):
        if "openAPIV3Schema" not in section(version, "schema"):
            yield required(f"spec.versions[{index}].schema.openAPIV3Schema", "schemas are required")
    if sum(bool(version.get("storage")) for version in each(spec, "versions")) != 1:
        yield invalid_value(
            "spec.versions", each(spec, "versions"), "must have exactly one version marked as storage version"
        )


_CHECKS: dict[tuple[str, str], Callable[[Object], Iterator[Cause]]] = {
    ("apps", "Deployment"): _selecting,
    ("apps", "DaemonSet"): _selecting,
    ("apps", "ReplicaSet"): _selecting,
    ("apps", "StatefulSet"): _stateful_set,
    ("batch", "Job"): _job,
    ("batch", "CronJob"): _cron_job,
    ("", "Pod"): _pod,
    ("", "Service"): _service,
    ("", "ConfigMap"): _config_map,
    ("", "Secret"): _secret,
    ("", "PersistentVolumeClaim"): _claim,
    ("networking.k8s.io", "Ingress"): _ingress,
    ("apiextensions.k8s.io", "CustomResourceDefinition"): _definition,
}
