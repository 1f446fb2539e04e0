"""The documents that say what the API serves: versions, groups, resources.

https://kubernetes.io/docs/concepts/overview/kubernetes-api/#discovery-api
"""

from __future__ import annotations

from deployer.sandbox.kubernetes.objects import Object
from deployer.sandbox.kubernetes.resources import VERBS, Registry, Resource
from deployer.sandbox.kubernetes.schema import VERSION

GIT_VERSION = f"v{VERSION}.0-sandbox"
_SUBRESOURCE_VERBS = ["get", "patch", "update"]


def version() -> Object:
    """`/version`, which says that this is a sandbox."""
    major, minor = VERSION.split(".")
    return {
        "major": major, "minor": minor, "gitVersion": GIT_VERSION, "gitCommit": "", "gitTreeState": "sandbox",
        "buildDate": "1970-01-01T00:00:00Z", "goVersion": "", "compiler": "cpython", "platform": "sandbox",
    }  # fmt: skip


def core_versions(address: str) -> Object:
    """`/api`."""
    addresses = [{"clientCIDR": "0.0.0.0/0", "serverAddress": address}]
    return {"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": addresses}


def groups(registry: Registry) -> Object:
    """`/apis`."""
    names = sorted({resource.group for resource in registry if resource.group})
    listed = [_group(registry, name) for name in names]
    return {"kind": "APIGroupList", "apiVersion": "v1", "groups": listed}


def group(registry: Registry, name: str) -> Object | None:
    """`/apis/<group>`, or None when there is no such group."""
    if not any(resource.group == name for resource in registry):
        return None
    return {"kind": "APIGroup", "apiVersion": "v1"} | _group(registry, name)


def _group(registry: Registry, name: str) -> Object:
    """A group with its versions, preferred one first: stable before beta before alpha."""
    found = list(dict.fromkeys(resource.version for resource in registry if resource.group == name))
    found.sort(key=lambda version: ("alpha" in version, "beta" in version))
    versions = [{"groupVersion": f"{name}/{version}", "version": version} for version in found]
    return {"name": name, "versions": versions, "preferredVersion": versions[0]}


def resources(registry: Registry, group_name: str, version_name: str) -> Object | None:
    """`/apis/<group>/<version>` or `/api/v1`, or None when there is no such version."""
    found = [resource for resource in registry if (resource.group, resource.version) == (group_name, version_name)]
    if not found:
        return None
    listed = [entry for resource in found for entry in _entries(resource)]
    return {
        "kind": "APIResourceList", "apiVersion": "v1", "groupVersion": found[0].api_version, "resources": listed,
    }  # fmt: skip


def _entries(resource: Resource) -> list[Object]:
    entry: Object = {"name": resource.plural, "singularName": resource.singular, "namespaced": resource.namespaced}
    entry |= {"kind": resource.kind, "verbs": list(VERBS)}
    if resource.short_names:
        entry["shortNames"] = list(resource.short_names)
    if resource.categories:
        entry["categories"] = list(resource.categories)
    return [entry, *(_subentry(resource, name) for name in sorted(resource.subresources))]


def _subentry(resource: Resource, name: str) -> Object:
    entry: Object = {"name": f"{resource.plural}/{name}", "singularName": "", "namespaced": resource.namespaced}
    if name == "scale":
        return entry | {"group": "autoscaling", "version": "v1", "kind": "Scale", "verbs": _SUBRESOURCE_VERBS}
    return entry | {"kind": resource.kind, "verbs": _SUBRESOURCE_VERBS}


def serves(registry: Registry, segments: tuple[str, ...]) -> bool:
    """Whether the version of a group that a path begins with is there at all."""
    group_name, version_name = ("", segments[1]) if segments[0] == "api" else (segments[1], segments[2])
    return any((resource.group, resource.version) == (group_name, version_name) for resource in registry)
