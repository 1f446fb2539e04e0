"""The head of an environment's set in the cluster: read, and written only over the version that was read.

It is the second fence. A worker that slept through the end of its lease and wakes up after somebody else wrote the head
is refused by the API server, whatever it believes itself.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from deployer.cluster import identity
from deployer.cluster.applyset import TOOLING, Inventory, Scope, head, lacks, read_head, tooling
from deployer.cluster.connection import Connection, Response
from deployer.cluster.refusal import capped, said
from deployer.cluster.resources import Resource
from deployer.model import FIELD_MANAGER, PART_OF, Permanent, Stage, Temporary

_CONFIG_MAPS = Resource("v1", "configmaps", namespaced=True)

_TRIES = 5
"""Times that the first head is written, when the API server fails each time."""


class NoNamespace(Permanent):
    """The namespace that the head belongs to is not there."""


class Overtaken(Temporary):
    """Somebody else wrote the head meanwhile."""


@dataclass(slots=True)
class Keeper:
    """Reads and writes the head of one set."""

    connection: Connection
    scope: Scope

    @property
    def path(self) -> str:
        """Where the head is in the API."""
        return _CONFIG_MAPS.path(self.scope.namespace, self.scope.inventory)

    def read(self) -> Inventory:
        """What the head says now; empty when there is none.

        Raises:
            Permanent: it may not be read, another tool keeps a set of this name, or it does not say all that a head
                says: what is not in it would be forgotten.
            Temporary: as `Connection.request`.
        """
        response = self._look()
        if response.status == 404:
            return Inventory()
        keeper = tooling(response.body)
        if keeper is not None and keeper.partition("/")[0] != TOOLING.partition("/")[0]:
            what = f"the inventory ConfigMap {self._name} is kept by {keeper}; rename the environment, or delete it"
            raise Permanent(what, stage=Stage.APPLY)
        if missing := lacks(response.body, self.scope):
            raise self._damaged(missing)
        return read_head(response.body)

    def write(self, inventory: Inventory) -> Inventory:
        """Write the head over the version that `inventory` was read with.

        Returns:
            The same with its new version.

        Raises:
            Temporary: somebody wrote it meanwhile; or as `Connection.request`.
            NoNamespace: its namespace is not there.
            Permanent: it may not be written.
        """
        if inventory.version is None:
            return self._create(inventory)
        response = self.connection.request(
            "PATCH",
            self.path,
            query={"fieldManager": FIELD_MANAGER, "force": "true"},
            body=head(self.scope, inventory),
            content_type="application/apply-patch+yaml",
        )
        return self._written(inventory, response)

    def confirm(self, inventory: Inventory) -> None:
        """Make sure that nobody wrote the head since `inventory` was read or written.

        Raises:
            Temporary: somebody did; or as `Connection.request`.
            Permanent: it may not be read.
        """
        now = self._look()
        if now.status == 404 or identity.version(now.body) != inventory.version:
            raise self._overtaken()

    def _look(self) -> Response:
        response = self.connection.request("GET", self.path)
        if response.status not in (200, 404):
            raise self._permanent("read", response)
        return response

    def _create(self, inventory: Inventory) -> Inventory:
        """Write the first head by a request that fails when somebody else was faster.

        Such a request is not repeated as others are, because a fault does not say whether it was carried out: that is
        looked at. The look waits until the API server answers again.
        """
        for attempt in range(_TRIES):
            try:
                return self._written(inventory, self._post(inventory))
            except Temporary as fault:
                if isinstance(fault, Overtaken) or attempt == _TRIES - 1:
                    raise
            there = self.read()
            if there.version is not None:
                if there != inventory:
                    raise self._overtaken()
                return there
        raise self._overtaken()

    def _post(self, inventory: Inventory) -> Response:
        response = self.connection.request(
            "POST",
            _CONFIG_MAPS.path(self.scope.namespace),
            query={"fieldManager": FIELD_MANAGER},
            body=head(self.scope, inventory),
        )
        if response.status >= 500:
            raise Temporary(f"cannot write the inventory ConfigMap {self._name}: {said(response)}", stage=Stage.APPLY)
        return response

    def _written(self, inventory: Inventory, response: Response) -> Inventory:
        if response.status == 409:
            raise self._overtaken()
        if response.status == 404:
            missing = f"namespace {self.scope.namespace} does not exist; add it to the overlay, or create it"
            raise NoNamespace(f"{missing} in the cluster: the inventory is kept there", stage=Stage.APPLY)
        if response.status >= 400:
            raise self._permanent("write", response)
        return replace(inventory, version=identity.version(response.body))

    def _overtaken(self) -> Overtaken:
        what = f"the inventory {self._name} was written by somebody else meanwhile; starting over"
        return Overtaken(what, stage=Stage.APPLY)

    def _damaged(self, missing: tuple[str, ...]) -> Permanent:
        name = f"configmap {self.scope.inventory} --namespace {self.scope.namespace}"
        message = (
            f"the ConfigMap {self._name} has the inventory's name, but no {', no '.join(missing)}; nothing was "
            "changed. If it is somebody else's, rename the environment. If it is ours, put back what was taken off: "
            f"kubectl annotate {name}, kubectl label {name}; or begin anew: kubectl delete {name}. After that, what "
            "left git earlier may have to be deleted by hand: kubectl get KINDS --all-namespaces --selector "
            f"{PART_OF}={self.scope.id}"
        )
        return Permanent(message, stage=Stage.APPLY)

    def _permanent(self, doing: str, response: Response) -> Permanent:
        message = f"cannot {doing} the inventory ConfigMap {self._name}: {capped(said(response))}"
        return Permanent(message, stage=Stage.APPLY)

    @property
    def _name(self) -> str:
        return f"{self.scope.namespace}/{self.scope.inventory}"
