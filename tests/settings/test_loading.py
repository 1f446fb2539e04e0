"""From a file to Settings, and the mistakes in it."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from deployer.model import Drift, Environment, EnvironmentKey, PrunePolicy
from deployer.settings import Settings, SettingsError, UnknownEnvironment, load
from tests.settings.conftest import Complain, Content, environment

STAGING = EnvironmentKey("github", "acme/shop", "staging")
AT = "repositories[0].environments.staging"


@pytest.fixture
def settings(content: Content, write: Callable[[Content], Path], environ: dict[str, str]) -> Settings:
    return load(write(content), environ=environ)


def test_an_environment_gets_the_defaults(settings: Settings) -> None:
    assert settings.environments == (
        Environment(
            key=STAGING,
            branch="main",
            overlay="deploy/overlays/staging",
            cluster="staging",
            namespace="shop",
            force_conflicts=True,
            rollout_timeout=300,
            drift=Drift.REPORT,
            drift_interval=300,
            prune=PrunePolicy(),
        ),
    )


def test_an_environment_has_what_is_written(
    content: Content, write: Callable[[Content], Path], environ: dict[str, str]
) -> None:
    content["repositories"][0]["branch"] = "release/1.4"
    environment(content).update(
        drift="revert",
        drift_interval=60,
        on_conflict="fail",
        prune={"max_objects": 0},
        rollout_timeout=5,
        overlay="./a//b/",
    )
    (loaded,) = load(write(content), environ=environ).environments
    assert loaded.branch == "release/1.4"
    assert loaded.overlay == "a/b"
    assert (loaded.drift, loaded.drift_interval) == (Drift.REVERT, 60)
    assert (loaded.force_conflicts, loaded.rollout_timeout) == (False, 5)
    assert loaded.prune == PrunePolicy(max_percent=None, max_objects=0)


def test_prune_false_deletes_nothing(
    content: Content, write: Callable[[Content], Path], environ: dict[str, str]
) -> None:
    environment(content)["prune"] = False
    assert load(write(content), environ=environ).environments[0].prune is None


@pytest.mark.parametrize(
    ("forge", "api_url", "clone_url"),
    [
        ({"kind": "github"}, "https://api.github.com", "https://github.com/{repository}.git"),
        ({"kind": "gitlab"}, "https://gitlab.com", "https://gitlab.com/{repository}.git"),
        (
            {"kind": "gitlab", "api_url": "http://git.example.com/lab/"},
            "http://git.example.com/lab",
            "http://git.example.com/lab/{repository}.git",
        ),
        (
            {"kind": "github", "api_url": "https://git.example.com/api/v3/"},
            "https://git.example.com/api/v3",
            "https://git.example.com/{repository}.git",
        ),
        ({"kind": "github", "clone_url": "file:///a/{repository}"}, "https://api.github.com", "file:///a/{repository}"),
    ],
)
def test_addresses_of_a_forge_come_from_its_kind_unless_written(  # noqa: PLR0917
    forge: Content,
    api_url: str,
    clone_url: str,
    content: Content,
    write: Callable[[Content], Path],
    environ: dict[str, str],
) -> None:
    content["forges"]["other"] = forge | {"webhook_secrets": [{"env": "HOOK"}]}
    loaded = load(write(content), environ=environ).forges["other"]
    assert (loaded.api_url, loaded.clone_url) == (api_url, clone_url)


def test_settings_know_their_environments_and_clone_urls(settings: Settings) -> None:
    assert settings.environment(STAGING) is not None
    assert settings.clone_url("github", "acme/shop") == "https://github.com/acme/shop.git"
    with pytest.raises(
        UnknownEnvironment, match=r'no environment github/acme/shop/stagign .* mean "github/acme/shop/stag'
    ):
        settings.environment(EnvironmentKey("github", "acme/shop", "stagign"))


def test_a_relative_path_starts_at_the_folder_of_the_file(settings: Settings, tmp_path: Path) -> None:
    kubeconfig = settings.clusters["staging"].kubeconfig
    assert kubeconfig is not None
    assert kubeconfig.file == tmp_path / "staging.kubeconfig"


def test_a_tilde_is_the_home_folder(
    content: Content, write: Callable[[Content], Path], environ: dict[str, str]
) -> None:
    content["clusters"]["staging"]["kubeconfig"]["file"] = "~/.kube/config"
    kubeconfig = load(write(content), environ=environ).clusters["staging"].kubeconfig
    assert kubeconfig is not None
    assert kubeconfig.file == Path("~/.kube/config").expanduser()


def test_a_kubeconfig_that_is_not_there_yet_stops_nothing(complain: Complain, content: Content, tmp_path: Path) -> None:
    assert not (tmp_path / "staging.kubeconfig").exists()
    assert complain(content) == ()


def test_every_mistake_is_reported_at_once_in_the_order_of_the_file(complain: Complain, content: Content) -> None:
    content["url"] = "deployer.example.com"
    content["forges"]["github"]["kind"] = "githb"
    content["forges"]["github"]["token"] = {"env": "NOT_SET"}
    content["repositories"][0]["forge"] = "githup"
    environment(content).update(cluster="stagign", drift_interval=True, namespace="-")
    del environment(content)["overlay"]
    content["clusters"]["production"]["context"] = "x"
    content["unheard"] = "of"
    assert complain(content) == (
        "url: expected an address that starts with https:// or http://",
        'forges.github.kind: expected "github" or "gitlab", found "githb"; did you mean "github"?',
        "forges.github.token: environment variable NOT_SET is not set",
        "clusters.production.context: only together with kubeconfig",
        'repositories[0].forge: no forge named "githup"; did you mean "github"?',
        f"{AT}.overlay: missing",
        f'{AT}.cluster: no cluster named "stagign"; did you mean "staging"?',
        f'{AT}.namespace: expected up to 63 of a-z, 0-9 and "-", with a letter or digit at both ends',
        f"{AT}.drift_interval: expected a whole number, found a boolean",
        "unheard: unknown key",
    )


@pytest.mark.parametrize("key", ["url", "forges", "clusters", "repositories"])
def test_a_missing_section_is_one_mistake(key: str, complain: Complain, content: Content) -> None:
    del content[key]
    assert f"{key}: missing" in complain(content)


def test_an_unknown_key_is_named_with_the_one_that_was_meant(complain: Complain, content: Content) -> None:
    environment(content)["overlya"] = environment(content).pop("overlay")
    assert complain(content) == (f'{AT}.overlya: unknown key; did you mean "overlay"?',)


@pytest.mark.parametrize(
    ("path", "key", "meant"),
    [
        ((), "repositorys", "repositories"),
        (("forges", "github"), "api_ulr", "api_url"),
        (("clusters", "staging"), "contxt", "context"),
        (("repositories", 0), "brnach", "branch"),
    ],
)
def test_keys_of_every_section_are_suggested(
    path: tuple[Any, ...], key: str, meant: str, complain: Complain, content: Content
) -> None:
    section = content
    for step in path:
        section = section[step]
    section[key] = "x"
    (mistake,) = complain(content)
    assert mistake.endswith(f'{key}: unknown key; did you mean "{meant}"?')


@pytest.mark.parametrize(
    ("prune", "mistakes"),
    [
        ("yes please", [": expected true, false or {max_percent: 30, max_objects: 20} (one of them or both)"]),
        (1, [": expected true, false or {max_percent: 30, max_objects: 20} (one of them or both)"]),
        ({}, [": expected true, false or {max_percent: 30, max_objects: 20} (one of them or both)"]),
        ({"max_percent": 0}, [".max_percent: expected 1 or more, found 0"]),
        ({"max_percent": 101}, [".max_percent: expected 100 or less, found 101"]),
        ({"max_objects": -1}, [".max_objects: expected 0 or more, found -1"]),
        ({"max_objects": True}, [".max_objects: expected a whole number, found a boolean"]),
        ({"max_objcts": 3}, ['.max_objcts: unknown key; did you mean "max_objects"?']),
    ],
)
def test_prune_that_is_wrong_is_one_mistake(
    prune: object, mistakes: list[str], complain: Complain, content: Content
) -> None:
    environment(content)["prune"] = prune
    assert complain(content) == tuple(f"{AT}.prune{mistake}" for mistake in mistakes)


@pytest.mark.parametrize("key", ["drift_interval", "rollout_timeout"])
@pytest.mark.parametrize("value", [0, -1, True, "300", 1.5, float("inf"), 10**12, [300]])
def test_a_duration_is_a_number_of_seconds_up_to_a_week(
    key: str, value: object, complain: Complain, content: Content
) -> None:
    environment(content)[key] = value
    (mistake,) = complain(content)
    assert mistake.startswith(f"{AT}.{key}: expected ")


@pytest.mark.parametrize(
    ("key", "value", "found"),
    [
        ("url", ["x"], "expected text, found a list"),
        ("forges", "github", "expected a mapping, found text"),
        ("clusters", [], "expected a mapping, found a list"),
        ("api_tokens", {"env": "TOKEN"}, "expected a list, found a mapping"),
        ("repositories", {"name": "acme/shop"}, "expected a list, found a mapping"),
    ],
)
def test_a_wrong_type_says_what_was_expected_and_found(
    key: str, value: object, found: str, complain: Complain, content: Content
) -> None:
    content[key] = value
    assert f"{key}: {found}" in complain(content)


def test_a_repository_needs_an_environment(complain: Complain, content: Content) -> None:
    content["repositories"][0]["environments"] = {}
    assert complain(content) == ("repositories[0].environments: empty; at least one is needed",)


@pytest.mark.parametrize(
    ("forge", "mistake"),
    [
        ({"kind": "github"}, ".webhook_secrets: no secret; without one, no webhook could be told from a forged one"),
        (
            {"kind": "gitlab", "webhook_secrets": []},
            ".webhook_secrets: no secret; without one, no webhook could be told from a forged one",
        ),
        (
            {"kind": "github", "webhook_secrets": [{"env": "HOOK"}], "signing_secrets": [{"env": "SIGNING"}]},
            ".signing_secrets: only for kind gitlab; a GitHub webhook has webhook_secrets",
        ),
        (
            {"kind": "gitlab", "webhooks": False, "signing_secrets": [{"env": "SIGNING"}]},
            ".signing_secrets: only with webhooks, and there is webhooks: false",
        ),
        (
            {"kind": "github", "webhooks": False, "webhook_secrets": [{"env": "HOOK"}]},
            ".webhook_secrets: only with webhooks, and there is webhooks: false",
        ),
        ({"kind": "github", "webhooks": "no"}, ".webhooks: expected true or false, found text"),
        (
            {"kind": "github", "webhook_secrets": [{"env": "HOOK"}], "token": {"env": "TOKEN"}, "app": "APP"},
            ".app: token or app, not both",
        ),
        (
            {"kind": "gitlab", "webhook_secrets": [{"env": "HOOK"}], "app": "APP"},
            ".app: only for kind github; GitLab takes a token",
        ),
    ],
)
def test_a_forge_that_cannot_work_stops_the_start(
    forge: Content, mistake: str, complain: Complain, content: Content
) -> None:
    if "app" in forge:
        forge = forge | {"app": {"id": 1, "private_key": {"env": "TOKEN"}}}
    content["forges"]["other"] = forge
    assert complain(content) == (f"forges.other{mistake}",)


def test_a_forge_without_webhooks_needs_no_secret(complain: Complain, content: Content) -> None:
    content["forges"]["other"] = {"kind": "github", "webhooks": False}
    assert complain(content) == ()


def test_each_branch_is_named_once(settings: Settings, content: Content) -> None:
    assert settings.sweep_interval == 180
    two = dict(environment(content)), dict(environment(content))
    content["repositories"][0]["environments"] = {"staging": two[0], "production": two[1]}
    content["repositories"].append(content["repositories"][0] | {"branch": "next", "environments": {"next": two[0]}})
    branches = Settings.model_validate(content).branches
    assert list(map(str, branches)) == ["github/acme/shop@main", "github/acme/shop@next"]


def test_a_misspelt_secret_is_not_reported_as_missing_too(complain: Complain, content: Content) -> None:
    content["forges"]["other"] = {"kind": "github", "webhook_secret": [{"env": "HOOK"}]}
    assert complain(content) == ('forges.other.webhook_secret: unknown key; did you mean "webhook_secrets"?',)


@pytest.mark.parametrize(
    ("cluster", "mistake"),
    [
        ({}, ".kubeconfig: missing; a cluster needs a kubeconfig or in_cluster: true"),
        ({"in_cluster": False}, ".kubeconfig: missing; a cluster needs a kubeconfig or in_cluster: true"),
        ({"in_cluster": True, "kubeconfig": {"file": "x"}}, ".kubeconfig: kubeconfig or in_cluster, not both"),
        ({"in_cluster": True, "context": "x"}, ".context: only together with kubeconfig"),
        ({"in_cluster": 1}, ".in_cluster: expected true or false, found a number"),
        ({"kubeconfig": {"file": "x"}, "context": ""}, ".context: expected a text of one line"),
        ({"kubeconfg": {"file": "x"}}, '.kubeconfg: unknown key; did you mean "kubeconfig"?'),
        (
            {"kubeconfig": {"env": "TOKEN"}},
            ".kubeconfig: expected {file: PATH}; a kubeconfig is never written into this file",
        ),
    ],
)
def test_a_cluster_has_exactly_one_way_in(cluster: Content, mistake: str, complain: Complain, content: Content) -> None:
    content["clusters"]["other"] = cluster
    assert complain(content) == (f"clusters.other{mistake}",)


def test_settings_made_in_code_are_checked_too(content: Content) -> None:
    with pytest.raises(ValueError, match="missing; a cluster needs"):
        Settings.model_validate(content | {"clusters": {"a": {}}})


def test_nothing_of_a_spoiled_file_is_chained_to_the_error(content: Content, write: Callable[[Content], Path]) -> None:
    spoiled = copy.deepcopy(content)
    spoiled["url"] = 1
    with pytest.raises(SettingsError) as caught:
        load(write(spoiled), environ={})
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None
    assert str(caught.value) == "\n".join(caught.value.mistakes)
