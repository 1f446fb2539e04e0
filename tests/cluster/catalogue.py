"""Objects of many kinds, written in the ways in which people and generators write them."""

from __future__ import annotations

import base64
from typing import Any

Content = dict[str, Any]


def _thing(api_version: str, kind: str, **rest: Any) -> Content:
    return {"apiVersion": api_version, "kind": kind, "metadata": {"name": "subject", "labels": {"app": "shop"}}, **rest}


def _template(**spec: Any) -> Content:
    containers = [{"name": "main", "image": "shop:1", "resources": {}}]
    return {
        "metadata": {"creationTimestamp": None, "labels": {"app": "shop"}},
        "spec": {"containers": containers, **spec},
    }


def _selected(**spec: Any) -> Content:
    return {"selector": {"matchLabels": {"app": "shop"}}, **spec}


FULL_POD = {
    "containers": [
        {
            "name": "web",
            "image": "shop:1",
            "args": ["--port", "80"],
            "ports": [{"containerPort": 80}, {"containerPort": 53, "protocol": "UDP", "name": "dns"}],
            "env": [
                {"name": "EMPTY", "value": ""},
                {"name": "NUMBER", "value": "1000m"},
                {"name": "POD", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
                {"name": "CPU", "valueFrom": {"resourceFieldRef": {"containerName": "web", "resource": "limits.cpu"}}},
                {"name": "KEY", "valueFrom": {"secretKeyRef": {"name": "keys", "key": "a"}}},
            ],
            "envFrom": [{"configMapRef": {"name": "settings"}}],
            "resources": {
                "limits": {"cpu": "1000m", "memory": "1024Mi"},
                "requests": {"cpu": "0.25", "memory": "1e6"},
            },
            "livenessProbe": {"httpGet": {"path": "/", "port": 80}, "initialDelaySeconds": 0},
            "readinessProbe": {"tcpSocket": {"port": "dns"}, "periodSeconds": 3},
            "volumeMounts": [
                {"name": "scratch", "mountPath": "/tmp", "readOnly": False},
                {"name": "settings", "mountPath": "/etc/shop", "readOnly": True, "subPath": "shop"},
            ],
            "securityContext": {"runAsNonRoot": True, "capabilities": {"drop": ["ALL"]}},
            "tty": False,
        },
        {"name": "side", "image": "side:1", "command": ["run"], "resources": {}, "securityContext": {}},
    ],
    "initContainers": [{"name": "first", "image": "init:1"}, {"name": "second", "image": "init:2"}],
    "volumes": [
        {"name": "scratch", "emptyDir": {"sizeLimit": "2048Mi"}},
        {"name": "settings", "configMap": {"name": "settings", "items": [{"key": "a", "path": "shop"}]}},
        {"name": "void", "emptyDir": {}},
        {"name": "about", "downwardAPI": {"items": [{"path": "l", "fieldRef": {"fieldPath": "metadata.labels"}}]}},
        {"name": "all", "projected": {"sources": [{"secret": {"name": "keys"}}, {"configMap": {"name": "settings"}}]}},
    ],
    "nodeSelector": {"disk": "ssd"},
    "tolerations": [{"key": "a", "operator": "Exists"}],
    "affinity": {
        "podAntiAffinity": {
            "preferredDuringSchedulingIgnoredDuringExecution": [
                {"weight": 1, "podAffinityTerm": {"topologyKey": "zone", "labelSelector": {"matchLabels": {"a": "b"}}}}
            ]
        }
    },
    "topologySpreadConstraints": [
        {"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "ScheduleAnyway", "labelSelector": {}}
    ],
    "imagePullSecrets": [{"name": "registry"}],
    "hostAliases": [{"ip": "10.1.1.1", "hostnames": ["one"]}],
    "hostNetwork": False,
    "securityContext": {},
    "terminationGracePeriodSeconds": 5,
}

_CLAIM = {
    "metadata": {"name": "data", "creationTimestamp": None},
    "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1024Mi"}}},
    "status": {},
}
_CONTAINERS = [{"name": "main", "image": "shop:1"}]

OBJECTS: dict[str, Content] = {
    "deployment": _thing("apps/v1", "Deployment", spec=_selected(replicas=0, template=_template(**FULL_POD))),
    "generated deployment": _thing(
        "apps/v1", "Deployment", status={},
        spec=_selected(replicas=0, strategy={}, template=_template()),
    ),
    "statefulset": _thing(
        "apps/v1", "StatefulSet",
        spec=_selected(
            replicas=0, serviceName="shop", updateStrategy={}, volumeClaimTemplates=[_CLAIM], template=_template()
        ),
    ),
    "daemonset": _thing("apps/v1", "DaemonSet", spec=_selected(template=_template(nodeSelector={"none": "such"}))),
    "job": _thing(
        "batch/v1", "Job",
        spec={
            "backoffLimit": 0,
            "parallelism": 0,
            "template": {"spec": {"restartPolicy": "Never", "containers": _CONTAINERS}},
        },
    ),
    "service": _thing(
        "v1", "Service", status={"loadBalancer": {}},
        spec={
            "selector": {"app": "shop"},
            "ports": [
                {"name": "http", "port": 80, "targetPort": "http", "protocol": "TCP"},
                {"name": "dns", "port": 53, "targetPort": 5353, "protocol": "UDP"},
            ],
        },
    ),
    "headless service": _thing(
        "v1", "Service",
        spec={"clusterIP": "None", "selector": {"app": "shop"}, "ports": [{"port": 80, "protocol": "TCP"}]},
    ),
    "node port": _thing(
        "v1", "Service", spec={"type": "NodePort", "selector": {"a": "b"}, "ports": [{"port": 80, "protocol": "TCP"}]}
    ),
    "external name": _thing("v1", "Service", spec={"type": "ExternalName", "externalName": "example.com"}),
    "ingress": _thing(
        "networking.k8s.io/v1", "Ingress",
        spec={
            "ingressClassName": "web",
            "tls": [{"hosts": ["example.com"], "secretName": "tls"}],
            "rules": [
                {
                    "host": "example.com",
                    "http": {
                        "paths": [
                            {
                                "path": "/",
                                "pathType": "Prefix",
                                "backend": {"service": {"name": "shop", "port": {"number": 80}}},
                            }
                        ]
                    },
                }
            ],
        },
    ),
    "network policy": _thing(
        "networking.k8s.io/v1", "NetworkPolicy",
        spec={
            "podSelector": {},
            "policyTypes": ["Ingress", "Egress"],
            "egress": [],
            "ingress": [{"from": [{"podSelector": {}}], "ports": [{"port": 80}, {"port": "dns", "protocol": "UDP"}]}],
        },
    ),
    "role": _thing(
        "rbac.authorization.k8s.io/v1", "Role", rules=[{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}]
    ),
    "role binding": _thing(
        "rbac.authorization.k8s.io/v1", "RoleBinding",
        roleRef={"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "subject"},
        subjects=[{"kind": "ServiceAccount", "name": "shop", "namespace": "default"}, {"kind": "User", "name": "u"}],
    ),
    "config map": _thing(
        "v1", "ConfigMap", data={"a.conf": "one\ntwo\n", "empty": "", "b": "1000m"},
        binaryData={"blob": base64.b64encode(bytes(range(200))).decode()},
    ),
    "bare config map": _thing("v1", "ConfigMap", data={}, binaryData=None),
    "secret": _thing("v1", "Secret", type="Opaque", data={"a": base64.b64encode(bytes(range(99))).decode()}),
    "persistent volume claim": _thing("v1", "PersistentVolumeClaim", spec=_CLAIM["spec"]),
    "service account": _thing(
        "v1", "ServiceAccount", automountServiceAccountToken=False, imagePullSecrets=[{"name": "a"}, {"name": "b"}]
    ),
    "resource quota": _thing("v1", "ResourceQuota", spec={"hard": {"cpu": "2000m", "memory": "1.5Gi", "pods": "10"}}),
}  # fmt: skip

BY_VERSION: dict[str, tuple[str, tuple[str, ...], Content]] = {
    "autoscaler": (
        "horizontalpodautoscalers", ("autoscaling/v2", "autoscaling/v2beta2"),
        _thing(
            "", "HorizontalPodAutoscaler",
            spec={
                "maxReplicas": 3,
                "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "none"},
                "metrics": [
                    {
                        "type": "Resource",
                        "resource": {"name": "cpu", "target": {"type": "AverageValue", "averageValue": "1000m"}},
                    }
                ],
            },
        ),
    ),
    "cron job": (
        "cronjobs", ("batch/v1", "batch/v1beta1"),
        _thing(
            "", "CronJob",
            spec={
                "schedule": "0 0 * * *",
                "suspend": True,
                "jobTemplate": {"spec": {"template": {"spec": {"restartPolicy": "Never", "containers": _CONTAINERS}}}},
            },
        ),
    ),
    "disruption budget": (
        "poddisruptionbudgets", ("policy/v1", "policy/v1beta1"),
        _thing("", "PodDisruptionBudget", spec=_selected(minAvailable="50%")),
    ),
}  # fmt: skip
"""Kinds whose version depends on the cluster: plural, versions with the newest first, and the object."""

PATHS = {
    "Deployment": "/apis/apps/v1/namespaces/{}/deployments/subject",
    "StatefulSet": "/apis/apps/v1/namespaces/{}/statefulsets/subject",
    "DaemonSet": "/apis/apps/v1/namespaces/{}/daemonsets/subject",
    "Job": "/apis/batch/v1/namespaces/{}/jobs/subject",
    "Ingress": "/apis/networking.k8s.io/v1/namespaces/{}/ingresses/subject",
    "NetworkPolicy": "/apis/networking.k8s.io/v1/namespaces/{}/networkpolicies/subject",
    "Role": "/apis/rbac.authorization.k8s.io/v1/namespaces/{}/roles/subject",
    "RoleBinding": "/apis/rbac.authorization.k8s.io/v1/namespaces/{}/rolebindings/subject",
    "Service": "/api/v1/namespaces/{}/services/subject",
    "ConfigMap": "/api/v1/namespaces/{}/configmaps/subject",
    "Secret": "/api/v1/namespaces/{}/secrets/subject",
    "PersistentVolumeClaim": "/api/v1/namespaces/{}/persistentvolumeclaims/subject",
    "ServiceAccount": "/api/v1/namespaces/{}/serviceaccounts/subject",
    "ResourceQuota": "/api/v1/namespaces/{}/resourcequotas/subject",
}
