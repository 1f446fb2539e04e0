"""What a forge is told names no place of the deployer's machine."""

from __future__ import annotations

from pathlib import Path

import pytest

from deployer.forges.discreet import DiscreetForge, Discretion
from deployer.forges.github import GitHub
from deployer.forges.github.access import TokenAccess
from deployer.model import CommitStatus, StatusState
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


def test_everything_that_is_written_is_cleaned(forge: RecordingForge) -> None:
    client = DiscreetForge(GitHub(TokenAccess("t", api_url=forge.url, timeout=5)), CLEAN)
    said = f"no {SECRET}"
    client.post(CommitStatus("acme/shop", "4f" * 20, "deploy/staging", StatusState.FAILURE, said, "https://d/1"))
    client.reply("acme/shop", 1, body=said)
    client.comment("acme/shop", 1, marker="x", body=said, known="1")
    texts = [request.json.get("body") or request.json["description"] for request in forge.requests]
    assert [text.rpartition("\n")[2] for text in texts] == ["no …/staging.kubeconfig"] * 3
