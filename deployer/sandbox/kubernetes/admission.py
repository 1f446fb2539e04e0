"""What the cluster itself decides about an object that is written: its namespace, its addresses, its generated labels.

It runs after the defaults and before the validation, with the store at hand.
"""

from __future__ import annotations

import ipaddress
import random
import uuid
from collections.abc import Iterator

from deployer.sandbox.kubernetes.crds import accept
from deployer.sandbox.kubernetes.errors import Cause, forbidden, not_found
from deployer.sandbox.kubernetes.objects import Object, at, clone, each, metadata, name_of, section
from deployer.sandbox.kubernetes.resources import Resource, built_in_resources
from deployer.sandbox.kubernetes.store import Key, Store

CLUSTER_IPS = ipaddress.ip_network("10.96.0.0/16")
_NODE_PORTS = range(30000, 32768)
_NAMESPACES = next(r.names for r in built_in_resources() if r.kind == "Namespace")
_FIRST_STATUS: dict[tuple[str, str], Object] = {
    ("", "Namespace"): {"phase": "Active"},
    ("", "Pod"): {"phase": "Pending"},
    ("", "PersistentVolume"): {"phase": "Pending"},
    ("", "PersistentVolumeClaim"): {"phase": "Pending"},
    ("", "Service"): {"loadBalancer": {}},
    ("networking.k8s.io", "Ingress"): {"loadBalancer": {}},
    ("apps", "StatefulSet"): {"replicas": 0, "availableReplicas": 0},
    ("apps", "ReplicaSet"): {"replicas": 0},
    ("apps", "DaemonSet"): {
        "currentNumberScheduled": 0, "numberMisscheduled": 0, "desiredNumberScheduled": 0, "numberReady": 0,
    },
    ("autoscaling", "HorizontalPodAutoscaler"): {"desiredReplicas": 0},
    ("policy", "PodDisruptionBudget"): {
        "disruptionsAllowed": 0, "currentHealthy": 0, "desiredHealthy": 0, "expectedPods": 0,
    },
}  # fmt: skip
_SUFFIX = "bcdfghjklmnpqrstvwxz2456789"


def namespace_key(name: str) -> Key:
    """Where a namespace is stored."""
    return Key("", "namespaces", "", name)


def require_namespace(store: Store, resource: Resource, namespace: str, *, name: str) -> None:
    """Refuse an object that is to be created where there is no namespace, or one that is going away.

    Raises:
        ApiError: 404 or 403.
    """
    if not resource.namespaced:
        return
    found = store.get(namespace_key(namespace))
    if found is None:
        raise not_found(_NAMESPACES, namespace)
    if metadata(found).get("deletionTimestamp"):
        message = f"namespace {namespace} is being terminated"
        why = f"unable to create new content in namespace {namespace} because it is being terminated"
        causes = [Cause("metadata.namespace", "NamespaceTerminating", message)]
        raise forbidden(resource.names, name, why, causes=causes)


def generated_name(prefix: str) -> str:
    """A name that starts with `prefix`; shortened so that the whole fits a label."""
    return prefix[:58] + "".join(random.choices(_SUFFIX, k=5))  # noqa: S311 - a name, not a secret


def admit(store: Store, resource: Resource, obj: Object, *, old: Object | None) -> None:
    """Fill in what depends on the cluster, in place. `old` is None for a new object."""
    kind = (resource.group, resource.kind)
    if old is None and "status" in resource.subresources and not resource.custom:
        obj["status"] = clone(_FIRST_STATUS.get(kind, {}))
    if kind == ("", "Namespace"):
        obj.setdefault("spec", {}).setdefault("finalizers", ["kubernetes"])
    elif kind == ("", "Service"):
        _address(store, obj, old)
    elif kind == ("batch", "Job") and old is None:
        _select_own_pods(obj)
    elif kind == ("apiextensions.k8s.io", "CustomResourceDefinition"):
        accept(obj)


def _address(store: Store, service: Object, old: Object | None) -> None:
    spec = section(service, "spec")
    if spec.get("type") == "ExternalName":
        return
    before = section(old or {}, "spec")
    if not spec.get("clusterIP"):
        spec["clusterIP"] = before.get("clusterIP") or _free_address(store)
    spec.setdefault("clusterIPs", [spec["clusterIP"]])
    spec.setdefault("ipFamilies", ["IPv4"])
    spec.setdefault("ipFamilyPolicy", "SingleStack")
    if spec.get("type") in ("NodePort", "LoadBalancer"):
        _node_ports(store, spec, before)


def _free_address(store: Store) -> str:
    used = {at(service, "spec", "clusterIP") for service in store.select("", "services")}
    return next(str(address) for address in CLUSTER_IPS.hosts() if str(address) not in used)


def _node_ports(store: Store, spec: Object, before: Object) -> None:
    kept = {port.get("port"): port.get("nodePort") for port in each(before, "ports")}
    free = _free_ports(store)
    for port in each(spec, "ports"):
        if not port.get("nodePort"):
            port["nodePort"] = kept.get(port.get("port")) or next(free)


def _free_ports(store: Store) -> Iterator[int]:
    services = store.select("", "services")
    used = {port.get("nodePort") for service in services for port in each(section(service, "spec"), "ports")}
    return (port for port in _NODE_PORTS if port not in used)


def _select_own_pods(job: Object) -> None:
    """Jobs select their pods by their own uid, which nobody else has."""
    spec = section(job, "spec")
    if spec.get("manualSelector") or "template" not in spec:
        return
    own = {"batch.kubernetes.io/controller-uid": metadata(job)["uid"]}
    named = {
        "batch.kubernetes.io/job-name": name_of(job),
        "controller-uid": metadata(job)["uid"],
        "job-name": name_of(job),
    }
    template = spec["template"].setdefault("metadata", {})
    template["labels"] = {**own, **named, **section(template, "labels")}
    spec["selector"] = {"matchLabels": own}


def new_uid() -> str:
    """A uid for a new object."""
    return str(uuid.uuid4())
