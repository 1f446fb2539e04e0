"""What a forge shows of a deployment, with a GitHub App, a plain token and GitLab."""

from __future__ import annotations

import secrets
from collections import Counter
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from deployer.forges.github.app import app_access
from deployer.forges.report import MOST_STATUSES, commit_status
from deployer.model import Deployment, ForgeKind, ObjectRef, Stage, StageRecord, State, Trigger
from deployer.model.objects import Action, ObjectResult
from deployer.progress import WORTH_A_WORD
from deployer.retries import REPORTS
from deployer.settings import AppSettings, FileSecret, ForgeSettings
from jobs.report import report_owed
from tests.examples import STAGING, after, deployment
from tests.forges.recording import Answer, Request
from tests.jobs.world import SHOP, World

COMMIT, NEWER = secrets.token_hex(20), secrets.token_hex(20)
END = after(3)
RUNS, DEPLOYMENTS = f"/repos/{SHOP}/check-runs", f"/repos/{SHOP}/deployments"


class Hub:
    """GitHub as far as it is asked here; what `refuses` says about a path counts instead."""

    def __init__(self) -> None:
        self.refuses: dict[str, Answer] = {}
        self.ids = Counter[str]()

    def __call__(self, request: Request) -> Answer:
        refusal = next((answer for part, answer in self.refuses.items() if part in request.path), None)
        if refusal is not None:
            return refusal
        if request.route.endswith("/access_tokens"):
            return Answer(201, {"token": secrets.token_hex(), "expires_at": "2126-01-01T00:00:00Z"})
        if request.method == "GET":
            return Answer(200, [] if request.route.endswith("/deployments") else {"id": 7, "check_runs": []})
        self.ids[request.route] += request.method == "POST"
        return Answer(201, {"id": self.ids[request.route], "output": {"annotations_count": 0}})


@pytest.fixture
def hub(world: World) -> Hub:
    world.forge.answer = hub = Hub()
    app_access.cache_clear()
    return hub


def with_forge(world: World, **changes: object) -> None:
    forges = {"github": world.given.settings.forges["github"].model_copy(update=changes)}
    world.given = replace(world.given, settings=world.given.settings.model_copy(update={"forges": forges}))


def with_environment(world: World, **changes: object) -> None:
    (repository,) = world.given.settings.repositories
    environments = {name: each.model_copy(update=changes) for name, each in repository.environments.items()}
    repositories = (repository.model_copy(update={"environments": environments}),)
    settings = world.given.settings.model_copy(update={"repositories": repositories})
    vars(settings).pop("environments", None)  # worked out once from the repositories
    world.given = replace(world.given, settings=settings)


@pytest.fixture
def app(world: World, hub: Hub, key_file: Path) -> World:
    with_forge(world, token=None, app=AppSettings(id=12345, private_key=FileSecret(file=key_file)))
    return world


def queue(world: World, name: str = "a1", commit: str = COMMIT) -> Deployment:
    return world.given.store.deployments.queue(deployment(name, commit=commit))


def begin(world: World, queued: Deployment, stage: Stage = Stage.RENDER, message: str = "staging") -> Deployment:
    running = world.given.store.deployments.advance(queued, State.RUNNING, "on its way")
    world.given.store.deployments.write_stage(running.id, StageRecord(stage, after(1), message=message))
    return running


def end(world: World, running: Deployment, state: State, summary: str, at: datetime = END) -> None:
    assert world.given.store.deployments.finish(running, state, summary, at=at)


def run(world: World, name: str, commit: str, at: datetime) -> None:
    """Let one deployment succeed, and tell the forge."""
    end(world, begin(world, queue(world, name, commit)), State.SUCCEEDED, "done", at)


def shown(world: World, route: str) -> list[Request]:
    return [each for each in world.forge.requests if each.route.startswith(route) and each.method in ("POST", "PATCH")]


def recorded(world: World) -> list[tuple[str, str]]:
    """Which of the forge's deployments was said to be in which state."""
    said = [each for each in shown(world, DEPLOYMENTS) if each.route.endswith("/statuses")]
    return [(each.route.split("/")[5], each.json["state"]) for each in said]


def test_an_app_shows_one_check_run_from_the_queue_to_the_end_and_no_status(app: World) -> None:
    queued = queue(app)
    app.report(STAGING, COMMIT)
    running = begin(app, queued)
    app.report(STAGING, COMMIT)
    end(app, running, State.SUCCEEDED, "1 object, 1 changed, healthy in 2 s")
    app.report(STAGING, COMMIT)
    app.report(STAGING, COMMIT)
    runs = shown(app, RUNS)
    assert [(each.method, each.json["status"], each.json["output"]["title"]) for each in runs] == [
        ("POST", "queued", "on its way"),
        ("PATCH", "in_progress", "render: staging"),
        ("PATCH", "completed", "1 object, 1 changed, healthy in 2 s"),
    ]
    last = runs[-1].json
    assert (last["name"], last["conclusion"], last["external_id"]) == ("deploy/staging", "success", "a1")
    assert [button["identifier"] for button in last["actions"]] == ["redeploy"]
    assert app.posted() == []


@pytest.mark.parametrize(
    ("state", "conclusion"),
    [(State.FAILED, "failure"), (State.SUPERSEDED, "cancelled"), (State.HELD, "neutral"), (State.SUCCEEDED, "success")],
)
def test_each_end_has_its_conclusion(app: World, state: State, conclusion: str) -> None:
    end(app, queue(app), state, "that is it")
    app.report(STAGING, COMMIT)
    (run,) = shown(app, RUNS)
    assert run.json["conclusion"] == conclusion


def test_a_refused_overlay_is_annotated_where_it_is_wrong(app: World) -> None:
    message = "staging/kustomization.yaml:4: resources: '../..' leads out of the repository"
    end(app, begin(app, queue(app), message=message), State.FAILED, f"render: {message}")
    app.report(STAGING, COMMIT)
    (note,) = shown(app, RUNS)[-1].json["output"]["annotations"]
    assert (note["path"], note["start_line"], note["message"]) == ("staging/kustomization.yaml", 4, message)


def test_the_check_says_what_became_of_the_objects(app: World) -> None:
    running = begin(app, queue(app))
    results = [ObjectResult(ObjectRef("v1", "ConfigMap", "shop", "greeting"), Action.UPDATED)]
    app.given.store.deployments.write_objects(running.id, results)
    end(app, running, State.SUCCEEDED, "1 object, 1 changed")
    app.report(STAGING, COMMIT)
    assert "| updated | `ConfigMap shop/greeting` |" in shown(app, RUNS)[-1].json["output"]["summary"]


def test_a_replay_is_a_check_run_of_its_own_and_the_one_before_gets_its_end(app: World, hub: Hub) -> None:
    queued = queue(app)
    app.report(STAGING, COMMIT)
    hub.refuses["/check-runs"] = Answer(502)
    end(app, queued, State.FAILED, "no")
    app.report(STAGING, COMMIT)
    app.given.store.deployments.queue(replace(deployment("a2", commit=COMMIT), trigger=Trigger.REPLAY))
    hub.refuses.clear()
    before = len(shown(app, RUNS))
    app.report(STAGING, COMMIT)
    said = [(each.json["external_id"], each.json["status"]) for each in shown(app, RUNS)[before:]]
    assert said == [("a2", "queued"), ("a1", "completed")]


def test_a_deployment_is_recorded_when_it_begins_and_when_it_ends(world: World, hub: Hub) -> None:
    with_environment(world, environment_url="https://shop.example.com")
    running = begin(world, queue(world))
    world.report(STAGING, COMMIT)
    end(world, running, State.SUCCEEDED, "done")
    world.report(STAGING, COMMIT)
    world.report(STAGING, COMMIT)
    assert recorded(world) == [("1", "in_progress"), ("1", "success")]
    last = shown(world, DEPLOYMENTS)[-1].json
    assert (last["environment_url"], last["description"]) == ("https://shop.example.com", "done")
    assert [state for _, state, _ in world.posted()] == ["pending", "success"]


def test_what_never_began_is_no_deployment_of_the_forge(world: World, hub: Hub) -> None:
    end(world, queue(world), State.SUPERSEDED, "superseded by 1234567")
    world.report(STAGING, COMMIT)
    assert shown(world, DEPLOYMENTS) == []
    assert len(world.posted()) == 1


def test_the_settings_can_do_without_the_forges_deployments(world: World, hub: Hub) -> None:
    with_forge(world, deployments=False)
    run(world, "a1", COMMIT, after(3))
    world.report(STAGING, COMMIT)
    assert shown(world, DEPLOYMENTS) == []


def test_an_older_deployment_of_a_production_is_retired(world: World, hub: Hub) -> None:
    with_environment(world, production=True)
    run(world, "a1", COMMIT, after(3))
    world.report(STAGING, COMMIT)
    run(world, "a2", NEWER, after(9))
    world.report(STAGING, NEWER)
    assert recorded(world) == [("1", "success"), ("2", "success"), ("1", "inactive")]


def test_a_success_that_is_told_late_does_not_pose_as_what_runs(world: World, hub: Hub) -> None:
    run(world, "a1", COMMIT, after(3))
    run(world, "a2", NEWER, after(9))
    world.report(STAGING, NEWER)
    world.report(STAGING, COMMIT)
    assert recorded(world) == [("1", "success"), ("2", "inactive")]


@pytest.mark.parametrize("status", [403, 404])
def test_a_refused_deployment_stops_no_status_and_is_asked_once(world: World, hub: Hub, status: int) -> None:
    hub.refuses[DEPLOYMENTS] = Answer(status, {"message": "Resource not accessible"})
    running = begin(world, queue(world))
    world.report(STAGING, COMMIT)
    end(world, running, State.SUCCEEDED, "done")
    world.report(STAGING, COMMIT)
    assert [state for _, state, _ in world.posted()] == ["pending", "success"]
    assert len([each for each in world.forge.requests if each.route == DEPLOYMENTS]) == 1
    told = [line for line in world.given.store.deployments.log_lines("a1") if "Deployments: read and write" in line]
    assert len(told) == 1
    assert world.given.store.reports.owed(before=after(10_000)) == ()


def test_deployments_that_are_away_stop_no_status_and_are_told_later(world: World, hub: Hub) -> None:
    hub.refuses[DEPLOYMENTS] = Answer(502)
    run(world, "a1", COMMIT, after(3))
    world.report(STAGING, COMMIT)
    assert world.posted() == [("deploy/staging", "success", "done")]
    hub.refuses.clear()
    world.report(STAGING, COMMIT)
    assert recorded(world) == [("1", "success")]
    assert len(world.posted()) == 1


def test_a_forge_that_was_down_for_an_hour_gets_the_end(app: World, hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("random.random", lambda: 0.0)  # the shortest that the waits can be
    hub.refuses["/"] = Answer(502)
    run(app, "a1", COMMIT, after(3))
    began = app.clock.now
    while app.clock.now < began + timedelta(hours=1):
        app.clock.move(30)
        report_owed(app.given)
    hub.refuses.clear()
    app.clock.move(REPORTS.longest)
    report_owed(app.given)
    assert shown(app, RUNS)[-1].json["conclusion"] == "success"
    assert recorded(app) == [("1", "success")]
    assert app.given.store.reports.owed(before=after(100_000)) == ()


def test_a_forge_that_asks_for_a_pause_hears_nothing_at_all_until_then(world: World, hub: Hub) -> None:
    hub.refuses["/"] = Answer(429, headers={"Retry-After": "120"})
    queue(world)
    queue(world, "a2", NEWER)
    report_owed(world.given)
    world.clock.move(3600)
    report_owed(world.given)  # by the clock of Redis, which counts here, no time has passed
    assert len(world.forge.requests) == 1
    assert len(world.given.store.reports.owed(before=world.clock.now + timedelta(seconds=121))) == 2


def test_a_stage_that_takes_its_time_is_worth_a_word(app: World) -> None:
    running = begin(app, queue(app))
    app.report(STAGING, COMMIT)
    app.given.store.reports.mention(running, due=app.clock() + WORTH_A_WORD)
    report_owed(app.given)
    assert len(shown(app, RUNS)) == 1
    app.given.store.deployments.write_stage("a1", StageRecord(Stage.APPLY, after(2), message="12 objects"))
    app.clock.move(3)
    report_owed(app.given)
    assert shown(app, RUNS)[-1].json["output"]["title"] == "apply: 12 objects"


def test_a_commit_never_gets_as_many_statuses_as_a_forge_takes(world: World, hub: Hub) -> None:
    status = commit_status(deployment(commit=COMMIT), page="https://deployer.example.com/deployments/a1")
    for _ in range(MOST_STATUSES - 3):
        world.given.store.posted.remember("github", status)
    for number in range(6):
        end(world, queue(world, f"d{number}"), State.FAILED, "no")
        world.report(STAGING, COMMIT)
    assert len(world.posted()) == 3
    assert "nearly all statuses" in world.given.store.deployments.log_lines("d5")[-1]
    assert world.given.store.reports.owed(before=after(10_000)) == ()


def test_gitlab_is_told_the_branch_and_its_deployments_follow(world: World) -> None:
    def lab(request: Request) -> Answer:
        if request.method == "GET":
            return Answer(200, [] if request.query else {"id": 3, "username": "deployer", "status": "running"})
        return Answer(201, {"id": 3, "status": "running"})

    world.forge.answer = lab
    settings = world.given.settings.forges["github"]
    gitlab = ForgeSettings(kind=ForgeKind.GITLAB, api_url=world.forge.url, token=settings.token)
    world.given = replace(world.given, settings=world.given.settings.model_copy(update={"forges": {"github": gitlab}}))
    running = begin(world, queue(world))
    world.report(STAGING, COMMIT)
    end(world, running, State.SUCCEEDED, "done")
    world.report(STAGING, COMMIT)
    asked = [(each.method, each.route.rpartition("/projects/acme%2Fshop")[2]) for each in world.forge.requests]
    statuses = [each.json for each in world.forge.requests if "/statuses/" in each.route]
    assert [(each["state"], each["ref"]) for each in statuses] == [("pending", "main"), ("success", "main")]
    assert [each for each in asked if each[0] != "GET" and "deployments" in each[1]] == [
        ("POST", "/deployments"),
        ("PUT", "/deployments/3"),
    ]
