"""Defaults of pods and pod templates.

https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/pod-v1/
"""

from __future__ import annotations

from deployer.sandbox.kubernetes.objects import Object, each, section

_FILE_MODE = 0o644
_VOLUME_DEFAULTS: dict[str, Object] = {
    "secret": {"defaultMode": _FILE_MODE},
    "configMap": {"defaultMode": _FILE_MODE},
    "downwardAPI": {"defaultMode": _FILE_MODE},
    "projected": {"defaultMode": _FILE_MODE},
    "hostPath": {"type": ""},
}
_PROBE_DEFAULTS = {"timeoutSeconds": 1, "periodSeconds": 10, "successThreshold": 1, "failureThreshold": 3}


def fill(target: Object, defaults: Object) -> None:
    """Set every key that `target` does not have."""
    for key, value in defaults.items():
        target.setdefault(key, value)


def fill_pod(spec: Object) -> None:
    """Defaults of a pod's spec, in place."""
    fill(spec, {"restartPolicy": "Always", "terminationGracePeriodSeconds": 30, "dnsPolicy": "ClusterFirst"})
    fill(spec, {"securityContext": {}, "schedulerName": "default-scheduler"})
    if spec.get("serviceAccountName"):
        spec.setdefault("serviceAccount", spec["serviceAccountName"])
    elif spec.get("serviceAccount"):
        spec["serviceAccountName"] = spec["serviceAccount"]
    for container in [*each(spec, "initContainers"), *each(spec, "containers")]:
        _fill_container(container)
    for volume in each(spec, "volumes"):
        _fill_volume(volume)


def request_limits(spec: Object) -> None:
    """A container of a pod that limits a resource and requests none requests its limit. Templates are left alone."""
    for container in [*each(spec, "initContainers"), *each(spec, "containers")]:
        resources = section(container, "resources")
        if "limits" in resources:
            fill(resources.setdefault("requests", {}), resources["limits"])


def _fill_container(container: Object) -> None:
    fill(container, {"resources": {}, "terminationMessagePath": "/dev/termination-log"})
    fill(container, {"terminationMessagePolicy": "File", "imagePullPolicy": _pull_policy(container)})
    for port in each(container, "ports"):
        port.setdefault("protocol", "TCP")
    for variable in each(container, "env"):
        _fill_field_reference(section(variable, "valueFrom"))
    for probe in ("livenessProbe", "readinessProbe", "startupProbe"):
        if probe in container:
            _fill_probe(container[probe])
    for hook in section(container, "lifecycle").values():
        if isinstance(hook, dict):
            _fill_http(section(hook, "httpGet"))


def _pull_policy(container: Object) -> str:
    """Images without a tag or with `latest` are pulled every time, unless a digest pins them."""
    image = str(container.get("image", ""))
    tag = image.rpartition("/")[2].partition(":")[2]
    return "IfNotPresent" if "@" in image or tag not in ("", "latest") else "Always"


def _fill_probe(probe: Object) -> None:
    fill(probe, _PROBE_DEFAULTS)
    _fill_http(section(probe, "httpGet"))
    if "grpc" in probe:
        probe["grpc"].setdefault("service", "")


def _fill_http(action: Object) -> None:
    if action:
        fill(action, {"path": "/", "scheme": "HTTP"})


def _fill_field_reference(source: Object) -> None:
    if "fieldRef" in source:
        source["fieldRef"].setdefault("apiVersion", "v1")


def _fill_volume(volume: Object) -> None:
    if set(volume) <= {"name"}:
        volume["emptyDir"] = {}
    for kind, defaults in _VOLUME_DEFAULTS.items():
        if kind in volume:
            fill(volume[kind], defaults)
    for source in each(section(volume, "projected"), "sources"):
        if "serviceAccountToken" in source:
            source["serviceAccountToken"].setdefault("expirationSeconds", 3600)
    for item in each(section(volume, "downwardAPI"), "items"):
        _fill_field_reference(item)
