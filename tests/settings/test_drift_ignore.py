"""What of an environment's objects is left to others."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from deployer.model import DriftRule
from deployer.planning import fingerprint
from deployer.settings import load, schema
from tests.settings.conftest import Complain, Content, environment

AT = "repositories[0].environments.staging.drift_ignore"
WRITTEN = [
    {"path": "/spec/replicas"},
    {"kind": "Deployment", "name": "web", "path": "/spec/template/spec/containers/*/image", "managers": ["updater"]},
    {"kind": "Certificate.cert-manager.io", "managers": ["keda-operator", "other"]},
    {"path": "/metadata/annotations/example.com~1a~0b"},
]
RULES = (
    DriftRule(path="/spec/replicas"),
    DriftRule("Deployment", "web", "/spec/template/spec/containers/*/image", ("updater",)),
    DriftRule(kind="Certificate.cert-manager.io", managers=("keda-operator", "other")),
    DriftRule(path="/metadata/annotations/example.com~1a~0b"),
)


@pytest.fixture
def rules(
    content: Content, write: Callable[[Content], Path], environ: dict[str, str]
) -> Callable[..., tuple[tuple[DriftRule, ...], str]]:
    """The rules of a right file with these, and the fingerprint of their environment."""

    def rules(*written: Content) -> tuple[tuple[DriftRule, ...], str]:
        environment(content).update({"drift_ignore": list(written)} if written else {})
        (loaded,) = load(write(content), environ=environ).environments
        return loaded.drift_ignore, fingerprint(loaded, "inputs")

    return rules


def test_nothing_is_left_alone_unless_written(rules: Callable[..., tuple[tuple[DriftRule, ...], str]]) -> None:
    assert rules()[0] == ()


def test_rules_are_read(rules: Callable[..., tuple[tuple[DriftRule, ...], str]]) -> None:
    assert rules(*WRITTEN)[0] == RULES


def test_a_changed_rule_reaches_its_environment(rules: Callable[..., tuple[tuple[DriftRule, ...], str]]) -> None:
    assert rules(WRITTEN[0])[1] != rules(WRITTEN[1])[1]


@pytest.mark.parametrize(
    ("rule", "mistake"),
    [
        ({}, "[0]: expected path or managers, or both"),
        ({"kind": "Deployment"}, "[0]: expected path or managers, or both"),
        ({"path": "spec/replicas"}, "[0].path: expected a JSON pointer, as in /spec/replicas"),
        ({"path": ""}, "[0].path: expected a JSON pointer"),
        ({"path": "/spec~2"}, "[0].path: expected a JSON pointer"),
        ({"path": "/a", "kind": "apps/v1"}, "[0].kind: expected a kind as manifests have it"),
        ({"path": "/a", "name": ""}, "[0].name: expected a text of one line"),
        ({"managers": []}, "[0].managers: empty; at least one is needed"),
        ({"managers": ["a", ""]}, "[0].managers[1]: expected a text of one line"),
        ({"path": "/a", "paths": "/b"}, "[0].paths: unknown key"),
    ],
    ids=str,
)
def test_what_is_no_rule_is_told_with_its_place(
    complain: Complain, content: Content, rule: Content, mistake: str
) -> None:
    environment(content)["drift_ignore"] = [rule]

    (told,) = complain(content)

    assert told.startswith(AT + mistake)


@pytest.mark.parametrize("rule", WRITTEN)
def test_the_schema_takes_what_is_right(content: Content, rule: Content) -> None:
    environment(content)["drift_ignore"] = [rule]
    assert Draft202012Validator(schema()).is_valid(content)


@pytest.mark.parametrize(
    "rule", [{}, {"kind": "Deployment"}, {"path": "spec"}, {"managers": []}, {"path": "/a", "x": 1}]
)
def test_the_schema_refuses_what_is_wrong(content: Content, rule: Content) -> None:
    environment(content)["drift_ignore"] = [rule]
    assert not Draft202012Validator(schema()).is_valid(content)
