"""Structures of which only one part may be there: a volume has one source. No schema says so.

Applying adds what it names beside what others wrote, and is refused for it. The words are the real API server's.
"""

from __future__ import annotations

from collections.abc import Iterator

from deployer.sandbox.kubernetes.errors import Cause, forbidden_field, invalid_value
from deployer.sandbox.kubernetes.objects import Object

_HANDLERS = frozenset(("exec", "grpc", "httpGet", "tcpSocket"))
_BACKEND = ("name", "number")


def union_causes(kind: str, value: Object, path: str) -> Iterator[Cause]:
    """What of a structure is one part too many; `kind` is its name in the API's description."""
    if kind == "Volume":
        yield from _several([key for key in value if key != "name"], "may not specify more than 1 volume type", path)
    elif kind in ("Probe", "LifecycleHandler", "Handler"):
        yield from _several(sorted(_HANDLERS & value.keys()), "may not specify more than 1 handler type", path)
    elif kind == "EnvVar" and value.get("value") and value.get("valueFrom"):
        yield invalid_value(f"{path}.valueFrom", "", "may not be specified when `value` is not empty")
    elif kind == "DeploymentStrategy" and value.get("type") == "Recreate" and "rollingUpdate" in value:
        yield forbidden_field(f"{path}.rollingUpdate", "may not be specified when strategy `type` is 'Recreate'")
    elif kind == "ServiceBackendPort" and all(value.get(key) for key in _BACKEND):
        yield invalid_value(path, "", "cannot set both port name & port number")


def _several(parts: list[str], detail: str, path: str) -> Iterator[Cause]:
    for part in parts[1:]:
        yield forbidden_field(f"{path}.{part}", detail)
