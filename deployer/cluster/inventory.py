"""The head of an environment's set in the cluster: read, and written only over the version that was read.

It is the second fence. A worker that slept through the end of its lease and wakes up after somebody else wrote the head
is refused by the API server, whatever it believes itself.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from deployer.cluster.applyset import TOOLING, Inventory, Scope, head, read_head, tooling
from deployer.cluster.connection import Connection, Response
from deployer.cluster.refusal import capped, said
from deployer.cluster.resources import Resource
from deployer.model import FIELD_MANAGER, Permanent, Stage, Temporary

_CONFIG_MAPS = Resource("v1", "configmaps", namespaced=True)


class NoNamespace(Permanent):
    """The namespace that the head belongs to is not there."""


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
            Permanent: it may not be read, or another tool keeps a set of this name.
            Temporary: as `Connection.request`.
        """
        response = self.connection.request("GET", self.path)
        if response.status == 404:
            return Inventory()
        if response.status != 200:
            raise self._permanent("read", response)
        keeper = tooling(response.body)
        if keeper is not None and keeper.partition("/")[0] != TOOLING.partition("/")[0]:
            what = f"the inventory ConfigMap {self._name} is kept by {keeper}; rename the environment, or delete it"
            raise Permanent(what, stage=Stage.APPLY)
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
        response = self.connection.request(
            "PATCH",
            self.path,
            query={"fieldManager": FIELD_MANAGER, "force": "true"},
            body=head(self.scope, inventory),
            content_type="application/apply-patch+yaml",
        )
        if response.status == 409 or (inventory.version is None and response.status == 200):
            raise self._overtaken()
        if response.status == 404:
            missing = f"namespace {self.scope.namespace} does not exist; add it to the overlay, or create it"
            raise NoNamespace(f"{missing} in the cluster: the inventory is kept there", stage=Stage.APPLY)
        if response.status >= 400:
            raise self._permanent("write", response)
        return replace(inventory, version=read_head(response.body).version)

    def confirm(self, inventory: Inventory) -> None:
        """Make sure that nobody wrote the head since `inventory` was read or written.

        Raises:
            Temporary: somebody did; or as `Connection.request`.
            Permanent: as `read`.
        """
        if self.read().version != inventory.version:
            raise self._overtaken()

    def _overtaken(self) -> Temporary:
        what = f"the inventory {self._name} was written by somebody else meanwhile; starting over"
        return Temporary(what, stage=Stage.APPLY)

    def _permanent(self, doing: str, response: Response) -> Permanent:
        message = f"cannot {doing} the inventory ConfigMap {self._name}: {capped(said(response))}"
        return Permanent(message, stage=Stage.APPLY)

    @property
    def _name(self) -> str:
        return f"{self.scope.namespace}/{self.scope.inventory}"
