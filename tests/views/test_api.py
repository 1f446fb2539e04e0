from __future__ import annotations

import re
import secrets
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
import yaml
from flask.testing import FlaskClient
from redis import Redis

from deployer.app import create_app
from deployer.holding import Checked, DriftState
from deployer.model import (
    Action,
    Deployment,
    DriftKind,
    EnvironmentKey,
    FieldDrift,
    ObjectDrift,
    ObjectRef,
    ObjectResult,
    Stage,
    StageRecord,
    State,
    Trigger,
)
from deployer.settings import load
from deployer.store import Store
from tests.control_plane import free_port
from tests.examples import COMMIT, NEWER, NOON, PRODUCTION, STAGING, after, deployment

HOOK = secrets.token_hex(16)
TOKEN = secrets.token_hex(16)
NEXT_TOKEN = secrets.token_hex(16)
SEARCH = EnvironmentKey("github", "acme/search", "staging")
KNOCK = "/api/v1/environments"
WRONG = {
    "empty": "",
    "no token": "Bearer",
    "empty token": "Bearer ",
    "too short": f"Bearer {TOKEN[:-1]}",
    "too long": f"Bearer {TOKEN}0",
    "twice": f"Bearer {TOKEN} {TOKEN}",
    "another scheme": f"Basic {TOKEN}",
    "no scheme": TOKEN,
    "no text": "Bearer \xff\xfe",
    "not ASCII": f"Bearer {TOKEN}\xe9",
    "scheme not ASCII": f"B\xe9arer {TOKEN}",
}
RFC_3339_UTC = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")


def settings(**more: object) -> Mapping[str, object]:
    environments = {
        name: {"overlay": f"deploy/{name}", "cluster": "test", "namespace": "shop"}
        for name in ("staging", "production")
    }
    return {
        "url": "https://deployer.example.com",
        "forges": {"github": {"kind": "github", "webhook_secrets": [{"env": "HOOK"}]}},
        "clusters": {"test": {"in_cluster": True}},
        "repositories": [
            {"name": "acme/shop", "forge": "github", "environments": environments},
            {
                "name": "acme/search",
                "forge": "github",
                "environments": {"staging": {"overlay": "deploy", "cluster": "test", "namespace": "search"}},
            },
        ],
        **more,
    }


def client_for(redis_url: str, folder: Path, **more: object) -> FlaskClient:
    path = folder / "deployer.yaml"
    path.write_text(yaml.safe_dump(settings(**more), sort_keys=False))
    environ = {"HOOK": HOOK, "TOKEN": TOKEN, "NEXT_TOKEN": NEXT_TOKEN}
    return create_app(load(path, environ=environ), redis_url=redis_url).test_client()


@pytest.fixture
def client(redis_url: str, redis: Redis, tmp_path: Path) -> FlaskClient:
    return client_for(redis_url, tmp_path, api_tokens=[{"env": "TOKEN"}, {"env": "NEXT_TOKEN"}])


def get(client: FlaskClient, path: str) -> Any:
    answer = client.get(f"/api/v1{path}", headers={"Authorization": f"Bearer {TOKEN}"})
    assert answer.status_code == 200
    return answer.json


def queue(store: Store, name: str, key: EnvironmentKey, *, seconds: float, commit: str = COMMIT) -> Deployment:
    return store.deployments.queue(deployment(name, key=key, commit=commit, created_at=after(seconds)))


@pytest.mark.parametrize("path", ["/environments", "/deployments", "/deployments/a1"])
def test_without_tokens_in_the_settings_nobody_is_let_in(redis_url: str, tmp_path: Path, path: str) -> None:
    client = client_for(redis_url, tmp_path)
    answer = client.get(f"/api/v1{path}", headers={"Authorization": f"Bearer {TOKEN}"})
    assert answer.status_code == 403
    assert "api_tokens" in answer.json["error"]  # type: ignore[index]


@pytest.mark.parametrize("header", WRONG.values(), ids=WRONG)
@pytest.mark.parametrize("path", ["/environments", "/deployments", "/deployments/a1"])
def test_a_wrong_token_or_none_is_refused(client: FlaskClient, store: Store, path: str, header: str) -> None:
    queue(store, "a1", STAGING, seconds=0)
    answer = client.get(f"/api/v1{path}", environ_overrides={"HTTP_AUTHORIZATION": header})
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == "Bearer"
    assert answer.json == {"error": "a valid bearer token is needed"}


def test_no_header_at_all_is_refused(client: FlaskClient) -> None:
    assert client.get(KNOCK).status_code == 401


@pytest.mark.parametrize("header", [f"Bearer {TOKEN}", f"bearer {TOKEN}", f"Bearer {NEXT_TOKEN}"])
def test_each_of_the_tokens_opens_it(client: FlaskClient, header: str) -> None:
    assert client.get(KNOCK, headers={"Authorization": header}).status_code == 200


def test_it_can_only_be_read(client: FlaskClient) -> None:
    answer = client.post("/api/v1/deployments", headers={"Authorization": f"Bearer {TOKEN}"})
    assert answer.status_code == 405


def test_every_environment_is_listed_also_one_that_never_ran(client: FlaskClient, store: Store) -> None:
    ran = queue(store, "a1", STAGING, seconds=0)
    store.environments.begin(ran)
    store.deployments.finish(ran, State.SUCCEEDED, "done", at=after(1))
    store.environments.begin(replace(ran, id="a2", commit=NEWER))
    answer = get(client, "/environments")
    assert list(answer) == ["environments"]
    staging, production, search = answer["environments"]
    wanted = {"repository": "acme/shop", "environment": "staging", "desired": NEWER, "deployed": COMMIT}
    assert {name: staging[name] for name in wanted} == wanted
    assert staging["deployment"] == "a2"
    assert staging["drift"] == {"state": "unchecked", "objects": [], "checked_at": None}
    assert (production["repository"], production["environment"]) == ("acme/shop", "production")
    assert (production["desired"], production["deployed"], production["deployment"]) == (None, None, None)
    assert search["repository"] == "acme/search"


def test_deployments_of_all_environments_are_listed_newest_first(client: FlaskClient, store: Store) -> None:
    assert get(client, "/deployments") == {"deployments": []}
    for name, key, seconds in (("a1", STAGING, 2), ("a2", PRODUCTION, 4), ("a3", SEARCH, 3), ("a4", STAGING, 1)):
        queue(store, name, key, seconds=seconds, commit=COMMIT if name != "a4" else NEWER)
    listed = get(client, "/deployments")["deployments"]
    assert [each["id"] for each in listed] == ["a2", "a3", "a1", "a4"]
    wanted = {"id": "a2", "repository": "acme/shop", "environment": "production", "commit": COMMIT}
    told = {"trigger": "merge", "state": "queued", "summary": "on its way", "finished_at": None}
    assert listed[0].items() >= {**wanted, **told}.items()
    assert {"stages", "objects", "log"}.isdisjoint(listed[0])


@pytest.mark.parametrize(
    ("query", "ids"),
    [
        ("repository=acme/shop", ["a2", "a1"]),
        ("repository=acme%2Fshop&environment=staging", ["a1"]),
        ("environment=staging", ["a3", "a1"]),
        ("environment=production&repository=acme/search", []),
        ("repository=acme/sho", []),
        ("repository=ACME/SHOP", []),
        ("environment=*", []),
    ],
)
def test_the_list_is_filtered(client: FlaskClient, store: Store, query: str, ids: list[str]) -> None:
    for name, key, seconds in (("a1", STAGING, 1), ("a2", PRODUCTION, 2), ("a3", SEARCH, 3)):
        queue(store, name, key, seconds=seconds)
    assert [each["id"] for each in get(client, f"/deployments?{query}")["deployments"]] == ids


def test_one_deployment_is_shown_with_its_stages_objects_and_log(client: FlaskClient, store: Store) -> None:
    begun = queue(store, "a1", STAGING, seconds=0)
    store.deployments.write_stage("a1", StageRecord(Stage.FETCH, after(1), after(1.25), "commit 1111"))
    store.deployments.write_stage("a1", StageRecord(Stage.RENDER, after(2), None, "deploy/staging"))
    service = ObjectRef("v1", "Service", "shop", "web")
    role = ObjectRef("rbac.authorization.k8s.io/v1", "ClusterRole", None, "reader")
    results = [ObjectResult(service, Action.CREATED), ObjectResult(role, Action.FAILED, "forbidden")]
    store.deployments.write_objects("a1", results)
    store.deployments.log("a1", "fetch: done", at=after(1.25))
    store.deployments.finish(begun, State.FAILED, "apply: forbidden", at=after(9))
    shown = get(client, "/deployments/a1")
    assert shown.items() >= {"id": "a1", "state": "failed", "summary": "apply: forbidden", "delivery": "d1"}.items()
    assert shown["stages"] == [
        {
            "stage": "fetch",
            "started_at": "2026-11-23T12:00:01.000Z",
            "finished_at": "2026-11-23T12:00:01.250Z",
            "message": "commit 1111",
        },
        {
            "stage": "render",
            "started_at": "2026-11-23T12:00:02.000Z",
            "finished_at": None,
            "message": "deploy/staging",
        },
    ]
    assert [(each["kind"], each["namespace"], each["action"], each["message"]) for each in shown["objects"]] == [
        ("Service", "shop", "created", ""),
        ("ClusterRole", None, "failed", "forbidden"),
    ]
    (line,) = shown["log"]
    assert line.endswith("fetch: done")


HIDDEN = FieldDrift("data.key", hidden=True)
SEEN = ObjectDrift(ObjectRef("v1", "Secret", "shop", "key"), DriftKind.CHANGED, (HIDDEN,))


@pytest.mark.parametrize("state", list(DriftState))
def test_every_state_of_drift_is_shown_by_its_name(client: FlaskClient, store: Store, state: DriftState) -> None:
    ran = queue(store, "a1", STAGING, seconds=0)
    store.deployments.finish(ran, State.SUCCEEDED, "done", at=after(1))
    found = (SEEN,) if state is DriftState.DRIFTED else ()
    commit = NEWER if state is DriftState.UNCHECKED else COMMIT
    seen = DriftState.DRIFTED if state is DriftState.UNCHECKED else state
    store.drift.keep(STAGING, Checked(seen, commit, after(90), found, "why", after(30)))
    shown = get(client, "/environments")["environments"][0]
    assert set(shown["drift"]) == {"state", "objects", "checked_at"}
    assert shown["drift"]["state"] == state.value
    looked = state is not DriftState.UNCHECKED
    assert shown["drift"]["checked_at"] == ("2026-11-23T12:01:30.000Z" if looked else None)
    assert shown["drift_since"] == ("2026-11-23T12:00:30.000Z" if looked else None)
    fields = [field for each in shown["drift"]["objects"] for field in each["fields"]]
    wanted = {"path": "data.key", "git": None, "live": None, "hidden": True, "manager": None, "at": None}
    assert fields == ([wanted] if found else [])


@pytest.mark.parametrize("state", list(State))
def test_every_state_is_shown_by_its_name(client: FlaskClient, store: Store, state: State) -> None:
    store.deployments.advance(queue(store, "a1", STAGING, seconds=0), state, "so it is")
    assert get(client, "/deployments/a1")["state"] == state.value


@pytest.mark.parametrize("trigger", list(Trigger))
def test_every_trigger_is_shown_by_its_name(client: FlaskClient, store: Store, trigger: Trigger) -> None:
    store.deployments.queue(deployment("a1", trigger=trigger))
    assert get(client, "/deployments/a1")["trigger"] == trigger.value


@pytest.mark.parametrize("at", [NOON, NOON.astimezone(timezone(timedelta(hours=2))), after(0.123456)])
def test_times_are_rfc_3339_in_utc(client: FlaskClient, store: Store, at: datetime) -> None:
    begun = store.deployments.queue(deployment("a1", created_at=at))
    store.deployments.finish(begun, State.SUCCEEDED, "done", at=at + timedelta(seconds=1))
    shown = get(client, "/deployments/a1")
    for name, meant in (("created_at", at), ("finished_at", at + timedelta(seconds=1))):
        assert RFC_3339_UTC.fullmatch(shown[name])
        assert abs(datetime.fromisoformat(shown[name]) - meant.astimezone(UTC)) < timedelta(milliseconds=1)


@pytest.mark.parametrize("path", ["/deployments/unknown", "/deployments/a1:log", "/deployments/%00", "/nothing"])
def test_what_is_not_there_is_404_in_json(client: FlaskClient, store: Store, path: str) -> None:
    store.deployments.log("a1", "a log whose key must not be taken for a deployment", at=NOON)
    answer = client.get(f"/api/v1{path}", headers={"Authorization": f"Bearer {TOKEN}"})
    assert answer.status_code == 404
    assert answer.json is not None
    assert answer.json["error"]


def test_redis_away_is_503_with_a_time_to_come_back(tmp_path: Path) -> None:
    client = client_for(f"redis://127.0.0.1:{free_port()}/0", tmp_path, api_tokens=[{"env": "TOKEN"}])
    answer = client.get(KNOCK, headers={"Authorization": f"Bearer {TOKEN}"})
    assert answer.status_code == 503
    assert int(answer.headers["Retry-After"]) > 0
    assert answer.json == {"error": "redis does not answer"}
