"""Manifests to apply, short to write."""

from __future__ import annotations

import secrets
from typing import Any

from deployer.model import Manifest, ObjectRef


def manifest(content: dict[str, Any]) -> Manifest:
    metadata = content["metadata"]
    ref = ObjectRef(content["apiVersion"], content["kind"], metadata.get("namespace"), metadata["name"])
    return Manifest(ref, content)


def thing(api_version: str, kind: str, name: str, *, namespace: str | None = None, **rest: Any) -> Manifest:
    metadata = {"name": name} if namespace is None else {"name": name, "namespace": namespace}
    return manifest({"apiVersion": api_version, "kind": kind, "metadata": metadata, **rest})


def config_map(name: str, *, namespace: str | None = None, **data: str) -> Manifest:
    return thing("v1", "ConfigMap", name, namespace=namespace, data=data)


def secret(name: str, **data: Any) -> Manifest:
    return thing("v1", "Secret", name, data=data)


def namespace_object(name: str) -> Manifest:
    return thing("v1", "Namespace", name)


def deployment(name: str, *, selector: str | None = None, replicas: int = 0, **pod_spec: Any) -> Manifest:
    labels = {"app": selector or name}
    containers = [{"name": "main", "image": "shop:1"}]
    pod = {"metadata": {"labels": labels}, "spec": {"containers": containers, **pod_spec}}
    return thing(
        "apps/v1",
        "Deployment",
        name,
        spec={"replicas": replicas, "selector": {"matchLabels": labels}, "template": pod},
    )


def service(name: str) -> Manifest:
    port = {"port": 80, "targetPort": 8080, "protocol": "TCP"}
    return thing("v1", "Service", name, spec={"selector": {"app": name}, "ports": [port]})


def cluster_role(name: str, **rest: Any) -> Manifest:
    rules = [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}]
    return thing("rbac.authorization.k8s.io/v1", "ClusterRole", name, rules=rules, **rest)


def definition(plural: str, kind: str, group: str, *, scope: str = "Namespaced") -> Manifest:
    schema = {"type": "object", "properties": {"spec": {"type": "object", "properties": {"size": {"type": "integer"}}}}}
    return thing(
        "apiextensions.k8s.io/v1",
        "CustomResourceDefinition",
        f"{plural}.{group}",
        spec={
            "group": group,
            "scope": scope,
            "names": {"plural": plural, "singular": kind.lower(), "kind": kind},
            "versions": [{"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}],
        },
    )


def validating_webhook(name: str) -> Manifest:
    """One that never matches, because nothing has the label."""
    return thing(
        "admissionregistration.k8s.io/v1",
        "ValidatingWebhookConfiguration",
        name,
        webhooks=[
            {
                "name": "check.example.com",
                "clientConfig": {"url": "https://127.0.0.1:1/"},
                "rules": [
                    {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["configmaps"]}
                ],
                "objectSelector": {"matchLabels": {"never": secrets.token_hex(4)}},
                "sideEffects": "None",
                "admissionReviewVersions": ["v1"],
            }
        ],
    )
