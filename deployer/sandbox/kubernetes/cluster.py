"""A cluster to try things on: started, stopped, and reached through its kubeconfig.

It listens on loopback only, because a token made at run time is all the protection that it has.
"""

from __future__ import annotations

import base64
import ipaddress
import secrets
import threading
from types import TracebackType
from typing import Self

from deployer.sandbox.kubernetes.api import Api
from deployer.sandbox.kubernetes.certificate import self_signed
from deployer.sandbox.kubernetes.controllers import Controllers, Later
from deployer.sandbox.kubernetes.crds import key_of, resources_of
from deployer.sandbox.kubernetes.dependents import Dependents
from deployer.sandbox.kubernetes.deployments import Deployments
from deployer.sandbox.kubernetes.lifecycle import Lifecycle
from deployer.sandbox.kubernetes.objects import Object, wall_clock
from deployer.sandbox.kubernetes.options import Options
from deployer.sandbox.kubernetes.replica_sets import ReplicaSets
from deployer.sandbox.kubernetes.resources import Registry
from deployer.sandbox.kubernetes.rollouts import Rollouts
from deployer.sandbox.kubernetes.server import Server
from deployer.sandbox.kubernetes.store import Event, Store
from deployer.sandbox.kubernetes.target import Target

_NAMESPACES = ("default", "kube-node-lease", "kube-public", "kube-system")


class SandboxCluster:
    """A Kubernetes API in memory.

    Args:
        name: what the kubeconfig calls it.
        host: a loopback address, or `localhost`.
        port: 0 takes a free one.
        rollouts: whether pods and workloads become healthy by themselves.

    Raises:
        ValueError: `host` is not loopback.
    """

    def __init__(self, name: str, *, host: str = "127.0.0.1", port: int = 0, rollouts: bool = False) -> None:
        _require_loopback(host)
        self.name = name
        self._token = secrets.token_hex(16)
        store, registry = Store(), Registry()
        store.listener = lambda event: _define(registry, event)
        api = Api(store, registry)
        context, self._certificate = self_signed(host)
        self._server = Server((host, port), api, token=self._token, tls=context)
        self._thread: threading.Thread | None = None
        self._serving = threading.Event()
        self._controllers = _controllers(api, rollouts=rollouts)
        self.url = f"https://{_in_url(host)}:{self._server.server_address[1]}"
        _furnish(api)

    def kubeconfig(self) -> Object:
        """The content of a kubeconfig that reaches this cluster as its administrator."""
        authority = base64.b64encode(self._certificate).decode()
        cluster = {"server": self.url, "certificate-authority-data": authority}
        return {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": self.name,
            "clusters": [{"name": self.name, "cluster": cluster}],
            "users": [{"name": self.name, "user": {"token": self._token}}],
            "contexts": [{"name": self.name, "context": {"cluster": self.name, "user": self.name}}],
        }

    def start(self) -> None:
        """Serve in a thread; returns when connections are accepted."""
        self._thread = threading.Thread(target=self.serve_forever, name=f"sandbox-{self.name}", daemon=True)
        self._thread.start()
        self._serving.wait()

    def serve_forever(self) -> None:
        """Serve in the foreground until `stop` is called from another thread, or an exception ends it."""
        self._controllers.start()
        self._serving.set()
        try:
            self._server.serve_forever(poll_interval=0.05)
        finally:
            self._controllers.stop()
            self._server.close()

    def stop(self) -> None:
        """Stop serving, end every connection and wait for the threads. What was never started is only closed."""
        if not self._serving.is_set():
            self._server.close()
            return
        self._server.shutdown()
        if self._thread is not None:
            self._thread.join()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:  # fmt: skip
        self.stop()


def _require_loopback(host: str) -> None:
    if host == "localhost":
        return
    try:
        loopback = ipaddress.ip_address(host).is_loopback
    except ValueError:
        loopback = False
    if not loopback:
        raise ValueError(
            f"the sandbox cluster listens on loopback only, not on {host!r}: it is for trying, and its token is all the"
            " protection that it has; use 127.0.0.1, ::1 or localhost"
        )


def _in_url(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _controllers(api: Api, *, rollouts: bool) -> Controllers:
    later = Later()
    lifecycle = Lifecycle(api.store, api.registry, api.deleter)
    dependents = Dependents(api.store, api.writer, api.deleter, wall_clock)
    controllers = [lifecycle.namespaces, lifecycle.dependents, lifecycle.definitions]
    controllers += [ReplicaSets(dependents).observe, Deployments(dependents, later).observe]
    if rollouts:
        controllers.append(Rollouts(api.store, later).observe)
    return Controllers(api.store, controllers, later)


def _define(registry: Registry, event: Event) -> None:
    """Serve what a definition defines from the moment it is written, until it is gone."""
    if (event.key.group, event.key.plural) == ("apiextensions.k8s.io", "customresourcedefinitions"):
        group, plural = key_of(event.last)
        registry.replace(group, plural, resources_of(event.after) if event.after is not None else ())


def _furnish(api: Api) -> None:
    """The namespaces that every cluster has."""
    resource = api.registry.find("", "v1", "namespaces")
    assert resource is not None  # noqa: S101 - the table has it
    for name in _NAMESPACES:
        api.writer.create(Target(resource, "", name), {"metadata": {"name": name}}, Options("sandbox"))
