"""What may be deleted of what left git, and how much of it. On hand-written objects."""

from __future__ import annotations

from typing import Any

import pytest

from deployer.cluster.prune import Extra, inhabitant, is_made_by_controller, kept, not_recreated, refuse_over_budget
from deployer.model import PART_OF, ObjectRef, Permanent, PrunePolicy

POLICY = PrunePolicy()


def extra(kind: str = "ConfigMap", *, api_version: str = "v1", **metadata: Any) -> Extra:
    ref = ObjectRef(api_version, kind, "shop", "a")
    return Extra(ref, "/path", {"apiVersion": api_version, "kind": kind, "metadata": {"name": "a", **metadata}})


def refs(count: int) -> list[ObjectRef]:
    return [ObjectRef("v1", "ConfigMap", "shop", f"c{number}") for number in range(count)]


def test_what_left_git_goes_unless_something_speaks_for_it() -> None:
    assert kept(extra(), POLICY) == ""
    assert "pruning is off" in kept(extra(), None)
    assert 'deployer/prune: "false"' in kept(extra(annotations={"deployer/prune": "false"}), POLICY)


@pytest.mark.parametrize(
    ("api_version", "kind"),
    [("v1", "PersistentVolumeClaim"), ("v1", "Namespace"), ("apiextensions.k8s.io/v1", "CustomResourceDefinition")],
)
def test_kinds_that_take_data_along_go_only_where_that_is_allowed(api_version: str, kind: str) -> None:
    assert "prune: {protected: false}" in kept(extra(kind, api_version=api_version), POLICY)
    assert kept(extra(kind, api_version=api_version), PrunePolicy(protected=False)) == ""


def test_a_custom_resource_named_like_a_protected_kind_is_not_protected() -> None:
    assert kept(extra("Namespace", api_version="example.com/v1"), POLICY) == ""


def test_what_a_controller_made_with_our_label_is_the_controllers() -> None:
    owned = extra("EndpointSlice", ownerReferences=[{"kind": "Service", "controller": True}])
    endpoints = extra("Endpoints", managedFields=[{"manager": "kube-controller-manager"}])
    ours = extra("Endpoints", managedFields=[{"manager": "deployer"}, {"manager": "kube-controller-manager"}])
    assert [is_made_by_controller(each) for each in (owned, endpoints, ours, extra())] == [True, True, False, False]


@pytest.mark.parametrize(
    ("going", "size", "policy"),
    [
        (10, 10, POLICY),
        (6, 12, POLICY),
        (3, 10, PrunePolicy(max_percent=30)),
        (100, 100, PrunePolicy(max_percent=100)),
        (2, 1000, PrunePolicy(max_objects=2)),
        (0, 5, PrunePolicy(max_objects=0)),
    ],
)
def test_what_is_within_the_budget_goes(going: int, size: int, policy: PrunePolicy) -> None:
    refuse_over_budget(refs(going), size=size, policy=policy)


@pytest.mark.parametrize(
    ("going", "size", "policy", "said"),
    [
        (6, 11, POLICY, r"6 of 11 objects, more than the prune budget of 50 % \(the default\)"),
        (4, 10, PrunePolicy(max_percent=30), "30 %"),
        (1, 3, PrunePolicy(max_percent=30), "30 %"),
        (3, 1000, PrunePolicy(max_objects=2), "2 objects"),
        (3, 4, PrunePolicy(max_percent=90, max_objects=2), "2 objects"),
        (1, 1, PrunePolicy(max_objects=0), "0 objects"),
    ],
)
def test_what_is_over_the_budget_refuses_all_of_it_and_is_named(
    going: int, size: int, policy: PrunePolicy, said: str
) -> None:
    with pytest.raises(Permanent, match=said) as refused:
        refuse_over_budget(refs(going), size=size, policy=policy)
    assert "ConfigMap shop/c0" in refused.value.message


def test_of_many_that_would_go_the_first_are_named() -> None:
    with pytest.raises(Permanent, match=r"and 20 more$"):
        refuse_over_budget(refs(30), size=40, policy=POLICY)


def test_what_would_go_with_a_namespace_or_a_definition_is_found() -> None:
    crd = Extra(
        ObjectRef("apiextensions.k8s.io/v1", "CustomResourceDefinition", None, "gadgets.example.com"),
        "/path",
        {"spec": {"group": "example.com", "names": {"kind": "Gadget"}}},
    )
    home = extra("Namespace")
    gadget, other = (ObjectRef(f"example.{end}/v1beta1", "Gadget", "shop", "one") for end in ("com", "org"))
    inside, beside = (ObjectRef("v1", "ConfigMap", namespace, "x") for namespace in ("a", "shop"))

    assert inhabitant(crd.ref, crd.content, [other, gadget]) == gadget
    assert inhabitant(crd.ref, crd.content, [other]) is None
    assert inhabitant(home.ref, home.content, [beside, inside]) == inside
    assert inhabitant(home.ref, home.content, [beside]) is None
    elsewhere = extra("Namespace", api_version="example.com/v1")
    assert inhabitant(elsewhere.ref, elsewhere.content, [inside]) is None


def test_only_what_is_ours_and_not_protected_is_created_anew() -> None:
    ours = {"metadata": {"labels": {PART_OF: "us"}}}
    claim, plain = ObjectRef("v1", "PersistentVolumeClaim", "shop", "a"), ObjectRef("v1", "Secret", "shop", "a")

    def why(ref: ObjectRef, live: Any, policy: PrunePolicy | None = POLICY) -> str:
        return not_recreated(ref, live, applyset="us", policy=policy)

    assert why(plain, ours) == why(plain, ours, None) == ""
    assert why(claim, ours, PrunePolicy(protected=False)) == ""
    assert "prune: {protected: false}" in why(claim, ours)
    assert "prune: {protected: false}" in why(claim, ours, None)
    for live in ({}, None, {"metadata": {"labels": {PART_OF: "them"}}}):
        assert f"take it into this set first by the label {PART_OF}=us" in why(plain, live)
