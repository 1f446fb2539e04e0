"""What an environment may hold, and what is said of an object beyond that. On hand-written names."""

from __future__ import annotations

import re

import pytest

from deployer.cluster.tenancy import beyond, kept, refuse_beyond
from deployer.model import Allow, ObjectRef, Permanent, Stage

CONFIG = ObjectRef("v1", "ConfigMap", "shop", "a")
ELSEWHERE = ObjectRef("v1", "ConfigMap", "other", "x")
ROLE = ObjectRef("rbac.authorization.k8s.io/v1", "ClusterRole", None, "admin")
CERTIFICATE = ObjectRef("cert-manager.io/v1", "Certificate", "shop", "tls")


def namespace(name: str) -> ObjectRef:
    return ObjectRef("v1", "Namespace", None, name)


@pytest.mark.parametrize(
    ("ref", "allow"),
    [
        (CONFIG, Allow()),
        (CONFIG, Allow(namespaces=("other", "shop"))),
        (CONFIG, Allow(kinds=("ConfigMap",))),
        (CERTIFICATE, Allow(kinds=("Certificate.cert-manager.io",))),
        (ObjectRef("apps/v1", "Deployment", "shop", "a"), Allow(kinds=("Deployment",))),
        (ObjectRef("apps/v1", "Deployment", "shop", "a"), Allow(kinds=("Deployment.apps",))),
        (ObjectRef("networking.k8s.io/v1", "Ingress", "shop", "a"), Allow(kinds=("Ingress",))),
        (ROLE, Allow(cluster_scoped=True)),
        (ROLE, Allow(namespaces=("shop",), cluster_scoped=True)),
        (namespace("shop"), Allow(namespaces=("shop",), cluster_scoped=True)),
    ],
    ids=str,
)
def test_what_is_within_is_not_refused(ref: ObjectRef, allow: Allow) -> None:
    assert beyond(ref, allow) == ""
    refuse_beyond([ref], unknown={}, allow=allow)


@pytest.mark.parametrize(
    ("ref", "allow", "why"),
    [
        (ELSEWHERE, Allow(namespaces=("shop",)), "namespace other is not allowed"),
        (ELSEWHERE, Allow(namespaces=("othe", "others", "Other")), "namespace other is not allowed"),
        (ELSEWHERE, Allow(namespaces=()), "namespace other is not allowed"),
        (CONFIG, Allow(kinds=("Secret",)), "kind ConfigMap is not allowed"),
        (CONFIG, Allow(kinds=()), "kind ConfigMap is not allowed"),
        (CONFIG, Allow(kinds=("ConfigMap.example.com",)), "kind ConfigMap is not allowed"),
        (
            ObjectRef("apps/v1", "Deployment", "shop", "a"),
            Allow(kinds=("Deployment.extensions",)),
            "kind Deployment.apps is not allowed",
        ),
        (
            ELSEWHERE,
            Allow(namespaces=("shop",), kinds=("Secret",)),
            "namespace other is not allowed, kind ConfigMap is not allowed",
        ),
        (ROLE, Allow(), "cluster-scoped objects are not allowed"),
        (namespace("shop"), Allow(namespaces=("shop",)), "cluster-scoped objects are not allowed"),
    ],
    ids=str,
)
def test_what_is_beyond_is_named_with_the_reason(ref: ObjectRef, allow: Allow, why: str) -> None:
    with pytest.raises(Permanent, match=f"^{re.escape(f'{ref}: {why}')}. Nothing was changed") as refused:
        refuse_beyond([ref], unknown={}, allow=allow)
    assert refused.value.stage is Stage.APPLY


@pytest.mark.parametrize("group", ["evil.example", "evil.k8s.io", "apps.evil.example"])
def test_a_bare_kind_is_not_that_of_a_custom_resource(group: str) -> None:
    disguised = ObjectRef(f"{group}/v1", "Secret", "shop", "a")

    why = beyond(disguised, Allow(kinds=("Secret",)))

    assert why == f"kind Secret.{group} is not allowed (Secret alone means Kubernetes' own)"


def test_a_namespace_of_others_is_beyond_although_it_is_in_none() -> None:
    allow = Allow(namespaces=("shop",), cluster_scoped=True)
    assert beyond(namespace("kube-system"), allow) == "namespace kube-system is not allowed"
    assert beyond(ObjectRef("example.com/v1", "Namespace", None, "other"), allow) == ""


def test_without_allow_nothing_is_beyond() -> None:
    refuse_beyond([ELSEWHERE, ROLE], unknown={CERTIFICATE: "?"}, allow=None)
    assert kept(ROLE, None) == ""


def test_every_object_is_named_and_the_policy_is_told() -> None:
    with pytest.raises(Permanent) as refused:
        refuse_beyond(
            [CONFIG, ELSEWHERE, ROLE], unknown={}, allow=Allow(namespaces=("shop",), kinds=("ConfigMap", "Secret"))
        )

    assert refused.value.message == (
        "ConfigMap other/x: namespace other is not allowed; "
        "ClusterRole.rbac.authorization.k8s.io admin: cluster-scoped objects are not allowed, "
        "kind ClusterRole.rbac.authorization.k8s.io is not allowed. Nothing was changed. "
        "Take them out of the overlay, or widen the environment's allow, which is: "
        "namespaces shop; kinds ConfigMap, Secret; not cluster-scoped"
    )


def test_of_very_many_the_first_are_named() -> None:
    many = [ObjectRef("v1", "ConfigMap", "other", f"c{number}") for number in range(250)]
    with pytest.raises(Permanent, match=r"ConfigMap other/c99: [^;]*; and 150 more\. Nothing"):
        refuse_beyond(many, unknown={}, allow=Allow(namespaces=("shop",)))


@pytest.mark.parametrize(
    ("allow", "why"),
    [
        (Allow(), "no such kind"),
        (Allow(namespaces=("shop",)), "no such kind"),
        (Allow(namespaces=("shop",), cluster_scoped=True), "no such kind"),
        (Allow(namespaces=("other",), cluster_scoped=True), "namespace shop is not allowed"),
        (Allow(kinds=("Certificate",)), r"kind Certificate.cert-manager.io is not allowed \(Certificate alone"),
        (Allow(namespaces=("other",), kinds=("Secret",)), "namespace shop is not allowed, kind Certificate"),
    ],
    ids=str,
)
def test_of_what_the_cluster_does_not_know_nothing_is_believed(allow: Allow, why: str) -> None:
    with pytest.raises(Permanent, match=f"^Certificate.cert-manager.io shop/tls: {why}"):
        refuse_beyond([], unknown={CERTIFICATE: "no such kind"}, allow=allow)


def test_what_the_cluster_does_not_know_passes_where_it_makes_no_difference() -> None:
    allow = Allow(kinds=("Certificate.cert-manager.io",), cluster_scoped=True)
    refuse_beyond([], unknown={CERTIFICATE: "no such kind"}, allow=allow)


def test_what_left_git_stays_where_allow_does_not_reach() -> None:
    allow = Allow(namespaces=("shop",))
    assert kept(CONFIG, allow) == ""
    assert kept(ELSEWHERE, allow) == (
        "left git; kept because namespace other is not allowed: delete it by hand, or widen the environment's allow"
    )
