from __future__ import annotations

from dataclasses import replace

import pytest

from deployer.model import DeploymentState, ForgeDeployment, Permanent, Temporary
from tests.forges.gitlab.lab import COMMIT, PROJECT, gitlab
from tests.forges.recording import Answer, RecordingForge, Request

DEPLOYMENT = ForgeDeployment(
    repository="group/sub/project",
    commit=COMMIT,
    branch="main",
    environment="staging",
    state=DeploymentState.IN_PROGRESS,
    description="applying",
    url="https://deployer.example.com/deployments/d1",
    external_id="d1",
)
PLACE = f"{PROJECT}/deployments"
ENVIRONMENTS = f"{PROJECT}/environments"
LIST, CREATE = ("GET", PLACE), ("POST", PLACE)


class Lab:
    """GitLab's deployments and the one environment; the token is user 42's. It refuses the state that there is."""

    def __init__(self, *there: dict[str, object], external_url: str | None = None) -> None:
        self.there = list(there)
        self.environment: dict[str, object] = {"id": 3, "name": "staging", "external_url": external_url}
        self.lost = False

    def __call__(self, request: Request) -> Answer:
        asked = (request.method, request.route)
        if asked == LIST:
            running = [each for each in self.there if each["status"] == request.query["status"]]
            return Answer(200, running[::-1])
        if asked == CREATE:
            self.there.append(made(10 + len(self.there), request.json["status"]))
            return Answer(drop=True) if self.lost else Answer(201, self.there[-1])
        if request.route.startswith(ENVIRONMENTS):
            self.environment |= request.json if request.method == "PUT" else {}
            return Answer(200, self.environment if request.method == "PUT" else [self.environment])
        return Answer(200, {"id": 42, "username": "bot"}) if request.route == "/api/v4/user" else self._one(request)

    def _one(self, request: Request) -> Answer:
        for each in self.there:
            if request.route == f"{PLACE}/{each['id']}":
                if request.method == "PUT" and request.json["status"] == each["status"]:
                    return Answer(400, {"message": {"status": ['cannot transition via "run"']}})
                each.update(request.json if request.method == "PUT" else {})
                return Answer(200, each)
        return Answer(404, {"message": "404 Not found"})


def made(number: int, status: str = "running", **changes: object) -> dict[str, object]:
    return {"id": number, "sha": COMMIT, "status": status, "user": {"id": 42}, "deployable": None} | changes


def writes(forge: RecordingForge) -> list[tuple[str, str]]:
    return [(each.method, each.route) for each in forge.requests if each.method != "GET"]


def test_a_new_deployment_is_looked_for_and_then_made(forge: RecordingForge, token: str) -> None:
    forge.answer = Lab()
    assert gitlab(forge.url).record_deployment(DEPLOYMENT, known=None) == "10"
    assert [(each.method, each.route) for each in forge.requests] == [("GET", "/api/v4/user"), LIST, CREATE]
    assert forge.requests[1].query == {
        "environment": "staging",
        "status": "running",
        "order_by": "id",
        "sort": "desc",
        "per_page": "100",
    }
    assert forge.requests[2].json == {
        "environment": "staging",
        "sha": COMMIT,
        "ref": "main",
        "tag": False,
        "status": "running",
    }


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        (DeploymentState.QUEUED, "running"),
        (DeploymentState.IN_PROGRESS, "running"),
        (DeploymentState.SUCCESS, "success"),
        (DeploymentState.FAILURE, "failed"),
        (DeploymentState.CANCELLED, "canceled"),
    ],
)
def test_every_state_is_one_that_gitlab_takes_once_or_again(
    forge: RecordingForge, token: str, state: DeploymentState, expected: str
) -> None:
    forge.answer = lab = Lab(made(10))
    for _ in range(2):
        assert gitlab(forge.url).record_deployment(replace(DEPLOYMENT, state=state), known="10") == "10"
    assert lab.there[0]["status"] == expected
    assert writes(forge) == ([] if expected == "running" else [("PUT", f"{PLACE}/10")])


def test_what_is_inactive_needs_no_word(forge: RecordingForge, token: str) -> None:
    old = replace(DEPLOYMENT, state=DeploymentState.INACTIVE)
    assert gitlab(forge.url).record_deployment(old, known="10") == "10"
    assert forge.requests == []


def test_an_answer_that_is_lost_does_not_make_a_second_one(forge: RecordingForge, token: str) -> None:
    forge.answer = lab = Lab()
    lab.lost = True
    client = gitlab(forge.url)
    with pytest.raises(Temporary):
        client.record_deployment(DEPLOYMENT, known=None)
    lab.lost = False
    assert client.record_deployment(DEPLOYMENT, known=None) == "10"
    assert len(lab.there) == 1


@pytest.mark.parametrize(
    "other",
    [
        made(9, user={"id": 7}),
        made(9, user=None),
        made(9, sha="5e" * 20),
        made(9, deployable={"id": 1}),
        made(9, "success"),
    ],
)
def test_somebody_elses_deployment_or_one_that_is_over_is_left_alone(
    forge: RecordingForge, token: str, other: dict[str, object]
) -> None:
    forge.answer = lab = Lab(other)
    before = dict(other)
    assert gitlab(forge.url).record_deployment(DEPLOYMENT, known=None) == "11"
    assert lab.there[0] == before


def test_a_deployment_that_gitlab_does_not_know_any_more_is_made_anew(forge: RecordingForge, token: str) -> None:
    forge.answer = Lab()
    assert gitlab(forge.url).record_deployment(DEPLOYMENT, known="3") == "10"
    assert writes(forge) == [CREATE]


@pytest.mark.parametrize(("before", "requests"), [(None, 1), ("https://old.example.com", 1), ("https://x.example", 0)])
def test_the_environment_leads_to_what_runs_there(
    forge: RecordingForge, token: str, before: str | None, requests: int
) -> None:
    forge.answer = lab = Lab(made(10), external_url=before)
    live = replace(DEPLOYMENT, state=DeploymentState.SUCCESS, environment_url="https://x.example")
    gitlab(forge.url).record_deployment(live, known="10")
    assert lab.environment["external_url"] == "https://x.example"
    assert writes(forge).count(("PUT", f"{ENVIRONMENTS}/3")) == requests


def test_the_environment_is_left_alone_until_it_is_deployed(forge: RecordingForge, token: str) -> None:
    forge.answer = lab = Lab(made(10))
    gitlab(forge.url).record_deployment(replace(DEPLOYMENT, environment_url="https://x.example"), known="10")
    assert lab.environment["external_url"] is None


def test_a_refusal_says_what_was_being_done(forge: RecordingForge, token: str) -> None:
    forge.answer = Answer(403, {"message": "403 Forbidden"})
    with pytest.raises(Permanent, match=r"^recording the deployment of group/sub/project@4f4f4f4f4f4f to staging: "):
        gitlab(forge.url).record_deployment(DEPLOYMENT, known=None)
