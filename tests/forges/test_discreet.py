"""What a forge is told names no place of the deployer's machine."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from deployer.forges import check_words
from deployer.forges.check_words import Account
from deployer.forges.discreet import DiscreetForge, Discretion
from deployer.forges.github import GitHub
from deployer.forges.github.access import TokenAccess
from deployer.forges.preview_words import Fate, Outcome, Shown
from deployer.model import (
    Action,
    CommitStatus,
    ObjectRef,
    ObjectResult,
    Stage,
    StageRecord,
    State,
    StatusState,
)
from tests.examples import after, deployment, environment
from tests.forges.recording import RecordingForge

SECRET = Path("/run/secrets/staging.kubeconfig")
CLEAN = Discretion([SECRET, Path("/data/mirrors"), Path("/")])


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        (f"file {SECRET} cannot be read: gone", "file …/staging.kubeconfig cannot be read: gone"),
        ("locking /data/mirrors/shop-1.git.lock, and", "locking …/shop-1.git.lock, and"),
        ("'/data/mirrors' is full", "'…/mirrors' is full"),
        ("file:///data/mirrors/a.", "file://…/a."),
        (
            "apply: reading kubeconfig /etc/k: File does not exist: /etc/pki/ca.pem. Correct it",
            "apply: reading kubeconfig …/k: File does not exist: …/ca.pem. Correct it",
        ),
        ("mountPath: /data", "mountPath: /data"),
        ("GET /api/v1/namespaces/shop/pods", "GET /api/v1/namespaces/shop/pods"),
        ("/run/secrets/staging.kubeconfigs", "/run/secrets/staging.kubeconfigs"),
        ("https://example.com/data/mirrors", "https://example.com/data/mirrors"),
        ("", ""),
    ],
)
def test_paths_of_ours_are_shortened_to_their_last_part(said: str, shown: str) -> None:
    assert CLEAN(said) == shown


def test_without_places_everything_stays() -> None:
    assert Discretion([])("see /run/secrets") == "see /run/secrets"


def test_every_line_is_cleaned_on_its_way(forge: RecordingForge) -> None:
    client = DiscreetForge(GitHub(TokenAccess("t", api_url=forge.url, timeout=5)), CLEAN)
    said = f"no {SECRET}"
    client.post(CommitStatus("acme/shop", "4f" * 20, "deploy/staging", StatusState.FAILURE, said, "https://d/1"))
    assert forge.requests[-1].json["description"] == "no …/staging.kubeconfig"


def test_of_an_outcome_the_reason_is_cleaned_and_what_git_says_is_not() -> None:
    shown = Shown("Deployment web", Fate.CHANGED, "-path: /data/mirrors/prod/keys\n+path: /data/mirrors/dev/keys")
    found = CLEAN.outcome(Outcome("staging", (shown,), f"apply: reading kubeconfig {SECRET}: no such file"))
    assert found == Outcome("staging", (shown,), "apply: reading kubeconfig …/staging.kubeconfig: no such file")


def test_all_that_was_said_of_a_deployment_is_cleaned_before_it_is_quoted() -> None:
    said = f"apply: reading kubeconfig {SECRET}: no such file"
    failed = ObjectResult(ObjectRef("v1", "ConfigMap", "shop", "web"), Action.FAILED, said)
    stage = StageRecord(Stage.APPLY, after(1), after(2), said)
    account = Account(replace(deployment(state=State.FAILED), summary=said), (stage,), (failed,), (said,))
    check = check_words.check(CLEAN.account(account), environment=environment(), page="https://d/1")
    assert str(SECRET.parent) not in repr(check)
    assert check.summary.count("…/staging.kubeconfig") == 4
    assert [each.message.partition(": ")[2] for each in check.annotations] == [CLEAN(said)]
