"""One object seen in several versions of its API.

Objects are stored in one version. Custom resources convert by name alone (strategy None); of the built-in kinds only
HorizontalPodAutoscaler has two versions. https://kubernetes.io/docs/tasks/run-application/horizontal-pod-autoscale/
"""

from __future__ import annotations

from deployer.sandbox.kubernetes.objects import Object, each, section
from deployer.sandbox.kubernetes.resources import Resource

_PERCENTAGE = "targetCPUUtilizationPercentage"


def shown_in(resource: Resource, stored: Object) -> Object:
    """A stored object as this version of its resource shows it. `stored` is not changed."""
    if stored.get("apiVersion") == resource.api_version:
        return stored
    renamed = {"kind": resource.kind, "apiVersion": resource.api_version}
    rest = {key: value for key, value in stored.items() if key not in renamed}
    if resource.kind == "HorizontalPodAutoscaler" and resource.version == "v1":
        rest["spec"] = _to_percentage(section(stored, "spec"))
    elif resource.kind == "HorizontalPodAutoscaler":
        rest["spec"] = _to_metrics(section(stored, "spec"))
    return renamed | rest


def _to_percentage(spec: Object) -> Object:
    found = {key: value for key, value in spec.items() if key not in ("metrics", "behavior")}
    for metric in each(spec, "metrics"):
        target = section(section(metric, "resource"), "target")
        if section(metric, "resource").get("name") == "cpu" and "averageUtilization" in target:
            found[_PERCENTAGE] = target["averageUtilization"]
    return found


def _to_metrics(spec: Object) -> Object:
    found = {key: value for key, value in spec.items() if key != _PERCENTAGE}
    if _PERCENTAGE in spec:
        target = {"type": "Utilization", "averageUtilization": spec[_PERCENTAGE]}
        found["metrics"] = [{"type": "Resource", "resource": {"name": "cpu", "target": target}}]
    return found
