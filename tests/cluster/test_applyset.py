"""The inventory as other tools read it."""

from __future__ import annotations

from deployer.cluster.applyset import Inventory, Scope, Stamp, applyset_id, group_kind, head, read_head, tooling
from deployer.model import PrunePolicy

SCOPE = Scope("shop", "deployer.staging.acme-shop", True, PrunePolicy())
FULL = Inventory(
    frozenset({"Service", "Deployment.apps", "ConfigMap"}),
    frozenset({"shop-jobs", "monitoring"}),
    Stamp("c" * 40, "d1", "e" * 64),
    7,
    "42",
)


def test_the_id_is_the_hash_of_the_head_as_the_specification_has_it() -> None:
    assert applyset_id("my-set", "default") == "applyset-DaObTxGT41gT7jz9wyulA3kuIrhUKfuOcjAfLI6wcmQ-v1"


def test_a_head_reads_back_as_it_was_written() -> None:
    assert read_head(head(SCOPE, FULL)) == FULL


def test_a_head_says_what_the_specification_asks_for() -> None:
    metadata = head(SCOPE, FULL)["metadata"]
    assert isinstance(metadata, dict)
    assert metadata["labels"] == {"applyset.kubernetes.io/id": SCOPE.id}
    annotations = metadata["annotations"]
    assert isinstance(annotations, dict)
    assert annotations["applyset.kubernetes.io/tooling"] == "deployer/v1"
    assert annotations["applyset.kubernetes.io/contains-group-kinds"] == "ConfigMap,Deployment.apps,Service"
    assert annotations["applyset.kubernetes.io/additional-namespaces"] == "monitoring,shop-jobs"
    assert annotations["deployer/commit"] == "c" * 40
    assert metadata["resourceVersion"] == "42"


def test_the_home_of_a_set_is_no_additional_namespace() -> None:
    homely = Inventory(namespaces=frozenset({"shop"}))
    assert read_head(head(SCOPE, homely)).namespaces == frozenset()


def test_kinds_of_the_core_have_no_group() -> None:
    assert [group_kind("v1", "Secret"), group_kind("apps/v1", "Deployment")] == ["Secret", "Deployment.apps"]


def test_a_head_that_somebody_spoilt_is_read_as_far_as_it_goes() -> None:
    annotations = {"applyset.kubernetes.io/contains-group-kinds": " ConfigMap ,,Secret", "deployer/fence": "soon"}
    spoilt = read_head({"metadata": {"annotations": dict(annotations), "resourceVersion": "1"}})
    assert (spoilt.kinds, spoilt.fence, spoilt.version) == (frozenset({"ConfigMap", "Secret"}), 0, "1")
    assert tooling({"metadata": {"annotations": None}}) is None
