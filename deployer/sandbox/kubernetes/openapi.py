"""The little of OpenAPI v3 that kubectl asks for: that writes validate their fields and can be tried dry.

The schemas themselves are not published; `kubectl explain` has nothing to read here.
"""

from __future__ import annotations

from deployer.sandbox.kubernetes.discovery import GIT_VERSION
from deployer.sandbox.kubernetes.objects import Object
from deployer.sandbox.kubernetes.resources import Registry, Resource

_PARAMETERS = [{"name": name, "in": "query", "schema": {"type": "string"}} for name in ("dryRun", "fieldValidation")]


def openapi(registry: Registry, path: tuple[str, ...]) -> Object | None:
    """`/openapi/v3` lists the versions of groups, `/openapi/v3/apis/apps/v1` has the operations of one."""
    if not path:
        return {"paths": {name: {"serverRelativeURL": f"/openapi/v3/{name}"} for name in _versions(registry)}}
    found = [resource for resource in registry if _name(resource) == "/".join(path)]
    if not found:
        return None
    info = {"title": "Kubernetes sandbox", "version": GIT_VERSION}
    return {"openapi": "3.0.0", "info": info, "paths": {_url(resource): _operations(resource) for resource in found}}


def _versions(registry: Registry) -> list[str]:
    return list(dict.fromkeys(_name(resource) for resource in registry))


def _name(resource: Resource) -> str:
    return f"apis/{resource.api_version}" if resource.group else f"api/{resource.api_version}"


def _url(resource: Resource) -> str:
    within = "namespaces/{namespace}/" if resource.namespaced else ""
    return f"/{_name(resource)}/{within}{resource.plural}/{{name}}"


def _operations(resource: Resource) -> Object:
    kind = {"group": resource.group, "version": resource.version, "kind": resource.kind}
    operation = {"parameters": _PARAMETERS, "x-kubernetes-group-version-kind": kind, "responses": {}}
    return {verb: operation | {"x-kubernetes-action": verb} for verb in ("patch", "put")}
