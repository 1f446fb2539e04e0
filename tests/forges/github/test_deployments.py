from __future__ import annotations

import json
from dataclasses import replace

import pytest

from deployer.model import DeploymentState, ForgeDeployment, Permanent, Temporary
from tests.forges.github.hub import COMMIT, github
from tests.forges.recording import Answer, RecordingForge, Request

DEPLOYMENT = ForgeDeployment(
    repository="acme/shop",
    commit=COMMIT,
    branch="main",
    environment="staging",
    state=DeploymentState.IN_PROGRESS,
    description="applying",
    url="https://deployer.example.com/deployments/d1",
    external_id="d1",
)
PLACE = "/repos/acme/shop/deployments"
LIST, CREATE, SAY = ("GET", PLACE), ("POST", PLACE), ("POST", f"{PLACE}/5/statuses")


class Recorded:
    """GitHub's deployments: what is made gets the number 5."""

    def __init__(self, *payloads: object) -> None:
        self.there = [{"id": 5 + number, "payload": payload} for number, payload in enumerate(payloads)]
        self.lost = False

    def __call__(self, request: Request) -> Answer:
        if (request.method, request.route) == LIST:
            return Answer(200, self.there)
        if (request.method, request.route) == CREATE:
            self.there.append({"id": 5, "payload": request.json["payload"]})
            return Answer(drop=True) if self.lost else Answer(201, self.there[-1])
        known = any(request.route == f"{PLACE}/{each['id']}/statuses" for each in self.there)
        return Answer(201, {"id": 1}) if known else Answer(404, {"message": "Not Found"})


def routes(forge: RecordingForge) -> list[tuple[str, str]]:
    return [(request.method, request.route) for request in forge.requests]


def test_a_new_deployment_is_looked_for_made_and_given_its_state(forge: RecordingForge, token: str) -> None:
    forge.answer = Recorded()
    assert github(forge.url).record_deployment(DEPLOYMENT, known=None) == "5"
    assert routes(forge) == [LIST, CREATE, SAY]
    assert forge.requests[0].query == {"sha": COMMIT, "environment": "staging", "task": "deploy", "per_page": "100"}
    assert forge.requests[1].json == {
        "ref": COMMIT,
        "task": "deploy",
        "auto_merge": False,
        "required_contexts": [],
        "payload": {"deployer": "d1"},
        "environment": "staging",
        "transient_environment": False,
        "production_environment": False,
    }
    assert forge.requests[2].json == {
        "state": "in_progress",
        "log_url": "https://deployer.example.com/deployments/d1",
        "description": "applying",
        "auto_inactive": True,
    }


def test_a_known_deployment_gets_a_state_with_one_request(forge: RecordingForge, token: str) -> None:
    forge.answer = Recorded({"deployer": "d1"})
    assert github(forge.url).record_deployment(DEPLOYMENT, known="5") == "5"
    assert routes(forge) == [SAY]


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        (DeploymentState.QUEUED, "queued"),
        (DeploymentState.IN_PROGRESS, "in_progress"),
        (DeploymentState.SUCCESS, "success"),
        (DeploymentState.FAILURE, "failure"),
        (DeploymentState.CANCELLED, "inactive"),
        (DeploymentState.INACTIVE, "inactive"),
    ],
)
def test_every_state_has_a_word_that_github_knows(
    forge: RecordingForge, token: str, state: DeploymentState, expected: str
) -> None:
    forge.answer = Recorded({"deployer": "d1"})
    github(forge.url).record_deployment(replace(DEPLOYMENT, state=state), known="5")
    assert forge.requests[0].json["state"] == expected


@pytest.mark.parametrize("payload", [{"deployer": "d1"}, json.dumps({"deployer": "d1"})])
def test_a_deployment_whose_answer_was_lost_is_found_by_our_id(
    forge: RecordingForge, token: str, payload: object
) -> None:
    forge.answer = Recorded(payload, {"deployer": "d0"}, "", {}, "not json", None)
    assert github(forge.url).record_deployment(DEPLOYMENT, known=None) == "5"
    assert routes(forge) == [LIST, SAY]


def test_an_answer_that_is_lost_does_not_make_a_second_one(forge: RecordingForge, token: str) -> None:
    forge.answer = recorded = Recorded()
    recorded.lost = True
    client = github(forge.url)
    with pytest.raises(Temporary):
        client.record_deployment(DEPLOYMENT, known=None)
    recorded.lost = False
    assert client.record_deployment(DEPLOYMENT, known=None) == "5"
    assert len(recorded.there) == 1


def test_a_deployment_that_github_does_not_know_any_more_is_made_anew(forge: RecordingForge, token: str) -> None:
    forge.answer = Recorded()
    assert github(forge.url).record_deployment(DEPLOYMENT, known="3") == "5"
    assert routes(forge) == [("POST", f"{PLACE}/3/statuses"), CREATE, SAY]


def test_production_and_where_it_can_be_seen_are_said(forge: RecordingForge, token: str) -> None:
    forge.answer = Recorded()
    live = replace(DEPLOYMENT, production=True, environment_url="https://shop.example.com")
    github(forge.url).record_deployment(live, known=None)
    assert forge.requests[1].json["production_environment"] is True
    assert forge.requests[2].json["environment_url"] == "https://shop.example.com"


def test_a_description_is_one_that_github_takes(forge: RecordingForge, token: str) -> None:
    forge.answer = Recorded({"deployer": "d1"})
    github(forge.url).record_deployment(replace(DEPLOYMENT, description="🚀" + "é" * 200), known="5")
    said = forge.requests[0].json["description"]
    assert len(said) == 140
    assert said.startswith("\ufffdé")


def test_a_refusal_says_what_the_token_needs(forge: RecordingForge, token: str) -> None:
    forge.answer = Answer(403, {"message": "Resource not accessible by personal access token"})
    what = "^recording the deployment of acme/shop@4f4f4f4f4f4f to staging: .*'Deployments: read and write'"
    with pytest.raises(Permanent, match=what):
        github(forge.url).record_deployment(DEPLOYMENT, known=None)
