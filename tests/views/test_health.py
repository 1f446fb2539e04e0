from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from prometheus_client.metrics_core import Metric
from prometheus_client.parser import text_string_to_metric_families
from redis import Redis

from deployer.holding import Checked, DriftState, Step
from deployer.model import DriftKind, FieldDrift, ObjectDrift, ObjectRef, State
from deployer.reverts import Memory, Refusal
from deployer.store import Store
from jobs.queue import Queues
from tests.control_plane import free_port
from tests.examples import COMMIT, NOON, STAGING, after, deployment
from tests.views.test_webhooks import SETTINGS, client_for, send


@pytest.fixture
def client(redis_url: str, redis: Redis, tmp_path: Path) -> FlaskClient:
    return client_for(redis_url, tmp_path)


@pytest.fixture
def alone(tmp_path: Path) -> FlaskClient:
    """A web process whose Redis is away."""
    return client_for(f"redis://127.0.0.1:{free_port()}/0", tmp_path)


def metrics(client: FlaskClient) -> Mapping[str, Metric]:
    answer = client.get("/metrics")
    assert answer.status_code == 200
    assert answer.mimetype == "text/plain"
    return {family.name: family for family in text_string_to_metric_families(answer.text)}


def value(family: Metric, **labels: str) -> float:
    (sample,) = (sample for sample in family.samples if sample.labels == labels)
    return sample.value


def test_it_lives_and_is_ready(client: FlaskClient) -> None:
    for path in ("/healthz", "/readyz"):
        answer = client.get(path)
        assert (answer.status_code, answer.json) == (200, {"status": "ok"})


def test_without_redis_it_lives_and_is_not_ready(alone: FlaskClient) -> None:
    assert alone.get("/healthz").status_code == 200
    for path in ("/readyz", "/metrics"):
        answer = alone.get(path)
        assert (answer.status_code, answer.json) == (503, {"status": "redis does not answer"})


def test_every_family_is_there_before_anything_happened(client: FlaskClient) -> None:
    families = metrics(client)
    assert {name: family.type for name, family in families.items()} == {
        "deployer_deployments": "counter",
        "deployer_webhooks": "counter",
        "deployer_webhooks_missed": "counter",
        "deployer_reports_failed": "counter",
        "deployer_queue_jobs": "gauge",
        "deployer_drift_reverts": "counter",
        "deployer_drift_objects": "gauge",
        "deployer_drift_known": "gauge",
        "deployer_drift_checked_timestamp_seconds": "gauge",
        "deployer_drift_stopped": "gauge",
        "deployer_drift_refused": "gauge",
    }
    assert all(family.documentation for family in families.values())
    waiting = families["deployer_queue_jobs"]
    assert {sample.labels["queue"]: sample.value for sample in waiting.samples} == {
        "merges": 0,
        "deployments": 0,
        "looks": 0,
        "reports": 0,
        "checks": 0,
    }


def test_webhooks_are_counted_by_what_became_of_them(client: FlaskClient) -> None:
    send(client)
    send(client)
    send(client, secret="wrong")
    send(client, b"{}", **{"X-GitHub-Event": "ping"})
    webhooks = metrics(client)["deployer_webhooks"]
    assert value(webhooks, forge="github", result="accepted") == 2
    assert value(webhooks, forge="github", result="Unauthorized") == 1
    assert value(webhooks, forge="github", result="ignored") == 1


def test_a_wrong_path_makes_no_series(client: FlaskClient) -> None:
    client.post("/webhooks/made-up", data=b"{}")
    assert metrics(client)["deployer_webhooks"].samples == []


def test_deployments_and_reports_are_counted(client: FlaskClient, store: Store) -> None:
    for state in ("succeeded", "failed", "succeeded"):
        store.counters.add("deployments", repository="acme/shop", environment="staging", state=state)
    store.counters.add("reports_failed", forge="github")
    families = metrics(client)
    deployments = families["deployer_deployments"]
    assert value(deployments, repository="acme/shop", environment="staging", state="succeeded") == 2
    assert value(deployments, repository="acme/shop", environment="staging", state="failed") == 1
    assert value(families["deployer_reports_failed"], forge="github") == 1


def test_odd_label_values_come_out_as_they_went_in(client: FlaskClient, store: Store) -> None:
    odd = 'a"b\\c\nd\u2028é'
    store.counters.add("webhooks", forge=odd, result="accepted")
    assert value(metrics(client)["deployer_webhooks"], forge=odd, result="accepted") == 1


def test_what_waits_in_each_queue_is_shown(client: FlaskClient, redis: Redis) -> None:
    queues = Queues(redis)
    queues.plan()
    queues.deploy()
    queues.deploy()
    queues.report()
    waiting = metrics(client)["deployer_queue_jobs"]
    assert [value(waiting, queue=name) for name in ("merges", "deployments", "reports")] == [1, 2, 1]


WEB = ObjectRef("apps/v1", "Deployment", "shop", "web")
CHANGED = ObjectDrift(WEB, DriftKind.CHANGED, (FieldDrift("spec.replicas", "3", "5"),))
REFUSED = Memory(refused={"Deployment.apps shop/web spec.replicas": Refusal("forbidden", "a1", 1, NOON)})


@pytest.mark.parametrize(
    ("looked", "expected"),
    [
        ({"state": DriftState.IN_SYNC}, (0, 1, 0, 0)),
        ({"state": DriftState.DRIFTED, "objects": (CHANGED, CHANGED), "step": Step.REPORT}, (2, 1, 0, 0)),
        ({"state": DriftState.DRIFTED, "objects": (CHANGED,), "step": Step.STOP}, (1, 1, 1, 0)),
        ({"state": DriftState.DRIFTED, "objects": (CHANGED,), "step": Step.FAIL, "memory": REFUSED}, (1, 1, 0, 1)),
        ({"state": DriftState.UNKNOWN, "step": Step.BLIND}, (None, 0, 0, 0)),
    ],
    ids=["in sync", "drifted", "fought for", "refused", "unknown"],
)
def test_drift_is_measured(
    client: FlaskClient, store: Store, looked: dict[str, Any], expected: tuple[float | None, ...]
) -> None:
    begun = store.deployments.queue(deployment("a1"))
    store.deployments.finish(begun, State.SUCCEEDED, "done", at=after(1))
    store.drift.keep(STAGING, Checked(commit=COMMIT, checked_at=after(90), **looked))
    families, labels = metrics(client), {"repository": "acme/shop", "environment": "staging"}
    values = [drift_value(families, name, labels) for name in ("objects", "known", "stopped", "refused")]
    assert tuple(values) == expected
    assert drift_value(families, "checked_timestamp_seconds", labels) == after(90).timestamp()


def test_of_what_runs_since_the_last_look_nothing_is_measured(client: FlaskClient, store: Store) -> None:
    store.drift.keep(STAGING, Checked(DriftState.DRIFTED, COMMIT, after(90), (CHANGED,)))
    families, labels = metrics(client), {"repository": "acme/shop", "environment": "staging"}
    assert drift_value(families, "objects", labels) is None
    assert drift_value(families, "known", labels) == 0
    assert drift_value(families, "checked_timestamp_seconds", labels) is None


def test_of_what_nobody_looks_at_nothing_is_measured(
    redis_url: str, redis: Redis, store: Store, tmp_path: Path
) -> None:
    written: Any = deepcopy(SETTINGS)
    written["repositories"][0]["environments"]["staging"]["drift"] = "ignore"
    families = metrics(client_for(redis_url, tmp_path, written=written))
    labels = {"repository": "acme/shop", "environment": "staging"}
    assert [drift_value(families, name, labels) for name in ("known", "stopped", "refused")] == [None] * 3


def drift_value(families: Mapping[str, Metric], name: str, labels: Mapping[str, str]) -> float | None:
    found = [sample.value for sample in families[f"deployer_drift_{name}"].samples if sample.labels == labels]
    assert len(found) < 2
    return found[0] if found else None
