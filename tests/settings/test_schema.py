"""The JSON schema, and the example beside it."""

from __future__ import annotations

import base64
import json
import secrets
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from deployer.settings import SettingsError, load, schema
from tests.settings.conftest import RIGHT, Content, environment

CONFIG = Path(__file__).parents[2] / "config"
VALIDATOR = Draft202012Validator(schema())


def accepts(content: object) -> bool:
    return bool(VALIDATOR.is_valid(content))


def test_the_committed_schema_is_the_generated_one() -> None:
    committed = (CONFIG / "deployer.schema.json").read_text()
    assert committed == json.dumps(schema(), indent=2) + "\n", "run: deployer schema > config/deployer.schema.json"


def test_the_schema_is_a_schema() -> None:
    Draft202012Validator.check_schema(schema())


def test_every_key_is_described() -> None:
    generated = json.loads(json.dumps(schema()))
    sections = [generated, *generated["$defs"].values()]
    keys = [(name, key) for section in sections for name, key in section.get("properties", {}).items()]
    assert len(keys) > 20
    assert [name for name, key in keys if "description" not in key] == []


def test_the_example_is_right() -> None:
    path = CONFIG / "deployer.example.yaml"
    environ = {
        name: secrets.token_hex()
        for name in (
            "GITHUB_WEBHOOK_SECRET",
            "GITHUB_TOKEN",
            "GITLAB_WEBHOOK_TOKEN",
            "GITLAB_TOKEN",
            "DEPLOYER_API_TOKEN",
        )
    }
    environ["GITLAB_SIGNING_TOKEN"] = "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()
    assert len(load(path, environ=environ).environments) == 3
    assert accepts(yaml.safe_load(path.read_text()))
    assert path.read_text().startswith("# yaml-language-server: $schema=./deployer.schema.json\n")


@pytest.mark.parametrize(
    "secret", ["hunter2", 5, None, {}, {"env": "A", "file": "b"}, {"value": "hunter2"}, {"env": "a-b"}]
)
def test_the_schema_refuses_a_secret_that_is_written_out(secret: object, content: Content) -> None:
    for place in ("token", "webhook_secrets"):
        spoiled = json.loads(json.dumps(content))
        spoiled["forges"]["github"][place] = [secret] if place == "webhook_secrets" else secret
        assert not accepts(spoiled)
    assert not accepts(content | {"api_tokens": [secret]})


@pytest.mark.parametrize(
    "change",
    [
        {"overlya": "x"}, {"prune": "yes"}, {"prune": {}}, {"prune": {"max_percent": 0}}, {"drift": "revrt"},
        {"drift_interval": 0}, {"drift_interval": "300"}, {"drift_interval": True}, {"namespace": "A"},
        {"overlay": "/x"}, {"on_conflict": "x"},
        {"allow": {}}, {"allow": {"namespaces": []}}, {"allow": {"kinds": ["*"]}},
        {"allow": {"cluster_scoped": "no"}}, {"allow": {"namespace": ["a"]}}, {"service_account": "deployer"},
        {"allow_remote": ["github.com/acme"]}, {"allow_remote": ["https://a/*"]}, {"helm": "yes"},
    ],
)  # fmt: skip
def test_the_schema_refuses_what_is_plainly_wrong(change: Content, content: Content) -> None:
    environment(content).update(change)
    assert not accepts(content)


def test_the_schema_refuses_names_that_are_no_labels(content: Content) -> None:
    content["forges"]["Git_Hub"] = content["forges"]["github"]
    assert not accepts(content)


REFERENCE = st.sampled_from([{"env": "TOKEN"}, {"file": "secret"}])
ENVIRONMENT = st.fixed_dictionaries(
    {
        "overlay": st.sampled_from([".", "a", "./a/", "ü/b c", "a/../b", "/a", "-a", ""]),
        "cluster": st.sampled_from(["staging", "production", "other"]),
        "namespace": st.sampled_from(["shop", "a-b", "A"]),
    },
    optional={
        "drift": st.sampled_from(["revert", "report", "ignore"]),
        "drift_interval": st.integers(-1, 700_000),
        "on_conflict": st.sampled_from(["force", "fail", True]),
        "prune": st.booleans()
        | st.dictionaries(st.sampled_from(["max_percent", "max_objects"]), st.integers(-1, 102), max_size=2),
        "rollout_timeout": st.integers(1, 600) | st.booleans(),
        "allow": st.fixed_dictionaries(
            {},
            optional={
                "namespaces": st.lists(st.sampled_from(["shop", "a-b", "A"]), max_size=2),
                "kinds": st.lists(st.sampled_from(["ConfigMap", "Widget.example.com", "A.v1.b", "a"]), max_size=2),
                "cluster_scoped": st.booleans(),
            },
        ),
        "service_account": st.sampled_from(["shop/deployer", "a/b.c", "a"]),
        "allow_remote": st.lists(
            st.sampled_from(["https://a/b/", "git@a:b", "ssh://g@[::1]/é", "oci://a", "a:b", "https://a//b", "a"]),
            max_size=2,
        ),
        "helm": st.booleans(),
    },
)
CLUSTER = st.fixed_dictionaries(
    {},
    optional={
        "in_cluster": st.booleans(),
        "kubeconfig": REFERENCE,
        "context": st.sampled_from(["a", "a@b/c", "é", ""]),
    },
)
FORGE = st.fixed_dictionaries(
    {"kind": st.sampled_from(["github", "gitlab"])},
    optional={
        "api_url": st.sampled_from(["https://a", "http://[::1]:3000/", "ftp://a"]),
        "clone_url": st.sampled_from(["git@a:{repository}", "file:///a b/{repository}", "https://a/b"]),
        "webhooks": st.booleans(),
        "webhook_secrets": st.lists(REFERENCE, max_size=2),
        "token": REFERENCE,
        "app": st.fixed_dictionaries({"id": st.integers(0, 2), "private_key": REFERENCE}),
    },
)


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(forge=FORGE, cluster=CLUSTER, chosen=ENVIRONMENT)
def test_the_schema_accepts_what_load_accepts(
    forge: Content,
    cluster: Content,
    chosen: Content,
    write: Callable[[Content], Path],
    environ: dict[str, str],
) -> None:
    content = json.loads(json.dumps(RIGHT))
    content["forges"]["other"] = forge
    content["clusters"]["other"] = cluster
    content["repositories"][0]["environments"]["other"] = chosen
    path = write(content)
    (path.parent / "secret").write_text(secrets.token_hex())
    try:
        load(path, environ=environ)
    except SettingsError:
        return
    assert accepts(content)
