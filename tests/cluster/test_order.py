"""Which kinds are applied before which."""

from __future__ import annotations

import random

import pytest

from deployer.cluster.order import phases
from tests.cluster.objects import thing

RBAC = "rbac.authorization.k8s.io/v1"
ADMISSION = "admissionregistration.k8s.io/v1"


def positions(*kinds: tuple[str, str]) -> list[int]:
    """The number of the phase of each kind."""
    things = [thing(api_version, kind, "x") for api_version, kind in kinds]
    return [next(i for i, phase in enumerate(phases(things)) if each in phase) for each in things]


@pytest.mark.parametrize(
    ("earlier", "later"),
    [
        (("v1", "Namespace"), ("v1", "ServiceAccount")),
        (("v1", "Namespace"), ("scheduling.k8s.io/v1", "PriorityClass")),
        (("apiextensions.k8s.io/v1", "CustomResourceDefinition"), ("example.com/v1", "Gadget")),
        (("apiextensions.k8s.io/v1", "CustomResourceDefinition"), ("v1", "ConfigMap")),
        (("v1", "ServiceAccount"), ("v1", "Secret")),
        (("v1", "ResourceQuota"), ("v1", "PersistentVolumeClaim")),
        (("v1", "LimitRange"), ("v1", "Pod")),
        (("storage.k8s.io/v1", "StorageClass"), ("v1", "PersistentVolumeClaim")),
        (("v1", "PersistentVolume"), ("v1", "PersistentVolumeClaim")),
        ((RBAC, "Role"), (RBAC, "RoleBinding")),
        ((RBAC, "ClusterRole"), (RBAC, "ClusterRoleBinding")),
        ((RBAC, "ClusterRoleBinding"), ("apps/v1", "Deployment")),
        (("v1", "ConfigMap"), ("apps/v1", "Deployment")),
        (("v1", "Secret"), ("apps/v1", "StatefulSet")),
        (("v1", "Service"), ("apps/v1", "DaemonSet")),
        (("v1", "PersistentVolumeClaim"), ("batch/v1", "Job")),
        (("networking.k8s.io/v1", "NetworkPolicy"), ("batch/v1", "CronJob")),
        (("policy/v1", "PodDisruptionBudget"), ("apps/v1", "Deployment")),
        (("v1", "Service"), ("example.com/v1", "Gadget")),
        (("apps/v1", "Deployment"), ("autoscaling/v2", "HorizontalPodAutoscaler")),
        (("apps/v1", "Deployment"), ("networking.k8s.io/v1", "Ingress")),
        (("networking.k8s.io/v1", "IngressClass"), ("networking.k8s.io/v1", "Ingress")),
        (("apps/v1", "Deployment"), (ADMISSION, "ValidatingWebhookConfiguration")),
        (("networking.k8s.io/v1", "Ingress"), (ADMISSION, "MutatingWebhookConfiguration")),
        (("example.com/v1", "Gadget"), (ADMISSION, "ValidatingAdmissionPolicy")),
        (("apps/v1", "Deployment"), ("apiregistration.k8s.io/v1", "APIService")),
    ],
)
def test_one_kind_goes_before_the_other(earlier: tuple[str, str], later: tuple[str, str]) -> None:
    assert positions(earlier, later) == [0, 1]
    assert positions(later, earlier) == [1, 0]


@pytest.mark.parametrize("version", ["v1", "v1beta1", "v2"])
def test_the_version_of_a_group_does_not_matter(version: str) -> None:
    assert positions((f"apps/{version}", "Deployment"), ("v1", "ConfigMap")) == [1, 0]


def test_a_custom_kind_with_the_name_of_a_built_in_one_is_a_custom_kind() -> None:
    knative, core = ("serving.knative.dev/v1", "Service"), ("v1", "Service")

    assert positions(knative, core, ("apps/v1", "Deployment")) == [1, 0, 1]


def test_what_may_go_together_goes_together_in_the_given_order() -> None:
    overlay = [thing("v1", "ConfigMap", f"c{number}") for number in range(50)] + [thing("v1", "Service", "s")]
    random.Random(7).shuffle(overlay)

    assert phases(overlay) == (tuple(overlay),)


def test_nothing_gives_no_phase() -> None:
    assert phases([]) == ()
