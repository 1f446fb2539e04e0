"""What others do to an object in a cluster: people with kubectl, controllers, autoscalers."""

from __future__ import annotations

from typing import Any

from deployer.cluster.connection import Connection
from deployer.model import Manifest

_PATHS = {
    "ConfigMap": "/api/v1/namespaces/{}/configmaps/{}",
    "Deployment": "/apis/apps/v1/namespaces/{}/deployments/{}",
    "HorizontalPodAutoscaler": "/apis/autoscaling/v1/namespaces/{}/horizontalpodautoscalers/{}",
    "Ingress": "/apis/networking.k8s.io/v1/namespaces/{}/ingresses/{}",
    "Secret": "/api/v1/namespaces/{}/secrets/{}",
    "Service": "/api/v1/namespaces/{}/services/{}",
    "ServiceAccount": "/api/v1/namespaces/{}/serviceaccounts/{}",
    "ClusterRole": "/apis/rbac.authorization.k8s.io/v1/clusterroles/{1}",
    "CustomResourceDefinition": "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{1}",
    "MutatingWebhookConfiguration": "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations/{1}",
    "ValidatingWebhookConfiguration": "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations/{1}",
    "APIService": "/apis/apiregistration.k8s.io/v1/apiservices/{1}",
}


class Hands:
    """Somebody else, in one namespace."""

    def __init__(self, connection: Connection, namespace: str) -> None:
        self._connection = connection
        self._namespace = namespace

    def path(self, of: Manifest) -> str:
        return _PATHS[of.ref.kind].format(self._namespace, of.ref.name)

    def live(self, of: Manifest) -> dict[str, Any]:
        body = self._connection.request("GET", self.path(of)).body
        assert isinstance(body, dict)
        return body

    def merge(self, of: Manifest, patch: dict[str, Any], *, by: str = "kubectl-edit", part: str = "") -> None:
        """Change some fields; lists as a whole, so that the API server finds out itself which items are new."""
        self._send(of, patch, by=by, part=part, how="merge")

    def edit(self, of: Manifest, *operations: dict[str, Any], by: str = "kubectl-edit") -> None:
        """Carry out the operations of a JSON patch."""
        self._send(of, list(operations), by=by, part="", how="json")

    def scale(self, of: Manifest, replicas: int, *, by: str = "kubectl") -> None:
        self._send(of, {"spec": {"replicas": replicas}}, by=by, part="/scale", how="merge")

    def delete(self, of: Manifest) -> None:
        assert self._connection.request("DELETE", self.path(of)).status == 200

    def create(self, made: Manifest, *, by: str = "kubectl-create") -> None:
        path = self.path(made).rpartition("/")[0]
        response = self._connection.request("POST", path, query={"fieldManager": by}, body=made.content)
        assert response.status == 201, response.body

    def _send(self, of: Manifest, body: Any, *, by: str, part: str, how: str) -> None:
        response = self._connection.request(
            "PATCH", self.path(of) + part, query={"fieldManager": by}, body=body,
            content_type=f"application/{how}-patch+json",
        )  # fmt: skip
        assert response.status == 200, response.body
