"""What an environment may hold, as whom it acts and what it may fetch."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from deployer.model import Allow, Environment
from tests.settings.conftest import Complain, Content, environment

AT = "repositories[0].environments.staging"
Load = Callable[..., Environment]


@pytest.fixture
def load_with(content: Content, write: Callable[[Content], Path], environ: dict[str, str]) -> Load:
    """Give the environment of a right file with some keys more."""
    from deployer.settings import load

    def load_with(**more: object) -> Environment:
        environment(content).update(more)
        (loaded,) = load(write(content), environ=environ).environments
        return loaded

    return load_with


def test_nothing_is_limited_and_nothing_fetched_unless_written(load_with: Load) -> None:
    loaded = load_with()
    assert (loaded.allow, loaded.service_account, loaded.allow_remote, loaded.helm) == (None, None, (), False)


@pytest.mark.parametrize(
    ("written", "allow"),
    [
        ({"cluster_scoped": False}, Allow(None, None, False)),
        ({"cluster_scoped": True}, Allow(None, None, True)),
        ({"namespaces": ["shop", "shop-jobs"]}, Allow(("shop", "shop-jobs"), None, False)),
        (
            {"kinds": ["Deployment", "Certificate.cert-manager.io", "Ingress.networking.k8s.io"]},
            Allow(None, ("Deployment", "Certificate.cert-manager.io", "Ingress.networking.k8s.io"), False),
        ),
        (
            {"namespaces": ["shop"], "kinds": ["ConfigMap"], "cluster_scoped": True},
            Allow(("shop",), ("ConfigMap",), True),
        ),
    ],
)
def test_what_allow_leaves_out_is_not_limited_but_for_cluster_scoped(
    written: Content, allow: Allow, load_with: Load
) -> None:
    assert load_with(allow=written).allow == allow


@pytest.mark.parametrize(
    ("allow", "mistake"),
    [
        ({}, ": expected namespaces, kinds or cluster_scoped, at least one of them"),
        ([], ": expected a mapping, found a list"),
        (True, ": expected a mapping, found a boolean"),
        ({"namespace": ["shop"]}, '.namespace: unknown key; did you mean "namespaces"?'),
        ({"clusterscoped": True}, '.clusterscoped: unknown key; did you mean "cluster_scoped"?'),
        ({"namespaces": "shop"}, ".namespaces: expected a list, found text"),
        ({"namespaces": []}, ".namespaces: empty; at least one is needed"),
        ({"kinds": []}, ".kinds: empty; at least one is needed"),
        ({"cluster_scoped": "no"}, ".cluster_scoped: expected true or false, found text"),
        (
            {"namespaces": ["shop", "shop-*"]},
            '.namespaces[1]: expected up to 63 of a-z, 0-9 and "-", with a letter or digit at both ends',
        ),
        ({"namespaces": [5]}, ".namespaces[0]: expected text, found a number; quote it"),
    ],
)
def test_an_allow_that_is_wrong_is_one_mistake(
    allow: object, mistake: str, complain: Complain, content: Content
) -> None:
    environment(content)["allow"] = allow
    assert complain(content) == (f"{AT}.allow{mistake}",)


@pytest.mark.parametrize(
    "kind",
    [
        "", "*", "*.apps", "Deployment.*", "deployment", "deployments", "deployments.apps", "apps/v1", "Deployment.",
        "apps/Deployment", "Deployment.apps/v1", "Deployment apps", "Deployment.Apps", "Deployment..apps", "Déployment",
        "Deployment\n",
    ],
)  # fmt: skip
def test_a_kind_is_written_as_in_manifests(kind: str, complain: Complain, content: Content) -> None:
    environment(content)["allow"] = {"kinds": ["ConfigMap", kind]}
    assert complain(content) == (
        f"{AT}.allow.kinds[1]: expected a kind as manifests have it, as in Deployment or Certificate.cert-manager.io",
    )


@pytest.mark.parametrize("kind", ["Deployment.v1.apps", "Deployment.v1", "Certificate.v1alpha2.cert-manager.io"])
def test_a_kind_has_no_version(kind: str, complain: Complain, content: Content) -> None:
    environment(content)["allow"] = {"kinds": [kind]}
    (mistake,) = complain(content)
    assert "expected kind and group without the version" in mistake


@pytest.mark.parametrize("account", ["shop/deployer", "a/b", "shop/deployer.v2", "shop/" + "a" * 253])
def test_a_service_account_is_namespace_and_name(account: str, load_with: Load) -> None:
    assert load_with(service_account=account).service_account == account


@pytest.mark.parametrize(
    "account",
    [
        "", "deployer", "/deployer", "shop/", "shop/a/b", "Shop/deployer", "shop/Deployer", "shop/-a", "shop/a..b",
        "shop:deployer", "system:serviceaccount:shop:deployer", "shop/deployer\n", "shop/deployer\r\nX: y", "../x",
        "s.p/deployer", "shop/ü", "shop/" + "a" * 254, "a" * 64 + "/deployer",
    ],
)  # fmt: skip
def test_what_names_no_service_account_is_refused(account: str, complain: Complain, content: Content) -> None:
    environment(content)["service_account"] = account
    assert complain(content) == (
        f"{AT}.service_account: expected NAMESPACE/NAME of a service account, as in shop/deployer",
    )


def test_remote_places_and_helm_are_as_written(load_with: Load) -> None:
    loaded = load_with(allow_remote=["https://github.com/acme/bases/", "git@git.example.com:acme"], helm=True)
    assert loaded.allow_remote == ("https://github.com/acme/bases", "ssh://git@git.example.com/acme")
    assert loaded.helm is True


def test_all_of_these_mistakes_are_told_at_once(complain: Complain, content: Content) -> None:
    environment(content).update(
        allow={"namespaces": ["A"], "kinds": ["x"]},
        allow_remote=["https://u:hunter2@a", "https://a/*", "a"],
        helm="yes",
        service_account="x",
    )
    told = complain(content)
    assert [mistake.partition(":")[0].removeprefix(f"{AT}.") for mistake in told] == [
        "allow.namespaces[0]", "allow.kinds[0]", "allow_remote[0]", "allow_remote[1]", "allow_remote[2]", "helm",
        "service_account",
    ]  # fmt: skip
    assert "hunter2" not in "".join(told)


def test_a_key_of_these_that_is_nearly_right_is_suggested(complain: Complain, content: Content) -> None:
    wrong: dict[str, Any] = {"alow_remote": [], "service_acount": "a/b"}
    environment(content).update(wrong)
    assert complain(content) == (
        f'{AT}.alow_remote: unknown key; did you mean "allow_remote"?',
        f'{AT}.service_acount: unknown key; did you mean "service_account"?',
    )
