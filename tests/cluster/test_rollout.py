"""Looking at rollouts, on a sandbox cluster and on a real API server with its controller manager."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from deployer.cluster.connection import Connection, connect
from deployer.cluster.rollout import Rollout, Unready, look
from deployer.model import ObjectRef, Permanent
from deployer.settings import ClusterSettings
from tests.cluster.scripted import FaultyProxy, Reply, ScriptedServer

Object = dict[str, Any]
PART_OF = "applyset.kubernetes.io/part-of"
READY = {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}
POLL = 0.05


def looping(message: str) -> Object:
    state = {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 10s restarting failed container"}}
    last = {"terminated": {"exitCode": 1, "reason": "Error", "message": message}}
    known = {"name": "main", "image": "shop:1", "imageID": "", "ready": False, "restartCount": 1}
    return {"phase": "Running", "containerStatuses": [known | {"state": state, "lastState": last}]}


@dataclass
class Stage:
    """A namespace whose objects carry the label of one applyset."""

    connection: Connection
    namespace: str
    applyset: str
    proxy: ScriptedServer | None = None
    """What the connection goes through."""

    def path(self, plural: str, name: str = "") -> str:
        group = {"deployments": "/apis/apps/v1", "replicasets": "/apis/apps/v1", "jobs": "/apis/batch/v1"}
        start = f"{group.get(plural, '/api/v1')}/namespaces/{self.namespace}/{plural}"
        return f"{start}/{name}" if name else start

    def ask(self, method: str, path: str, body: Object | None = None) -> Object:
        kind = "application/merge-patch+json" if method == "PATCH" else "application/json"
        response = self.connection.request(method, path, body=body, content_type=kind)
        assert response.status < 300, response.body
        assert isinstance(response.body, dict)
        return response.body

    def add(self, api_version: str, kind: str, name: str, **rest: Any) -> ObjectRef:
        meta = {"name": name, "labels": {PART_OF: self.applyset}}
        body = {"apiVersion": api_version, "kind": kind, "metadata": meta, **rest}
        self.ask("POST", self.path(f"{kind.lower()}s"), body)
        return ObjectRef(api_version, kind, self.namespace, name)

    def deployment(self, name: str, *, replicas: int = 1, **spec: Any) -> ObjectRef:
        labels = {"app": name}
        template = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "main", "image": "shop:1"}]}}
        chosen = {"replicas": replicas, "selector": {"matchLabels": labels}, "template": template}
        return self.add("apps/v1", "Deployment", name, spec=chosen | spec)

    def service(self, name: str) -> ObjectRef:
        return self.add("v1", "Service", name, spec={"selector": {"app": name}, "ports": [{"port": 80}]})

    def new_image(self, ref: ObjectRef, image: str) -> None:
        containers = [{"name": "main", "image": image}]
        patch = {"spec": {"template": {"spec": {"containers": containers}}}}
        self.ask("PATCH", self.path("deployments", ref.name), patch)

    def pods(self, image: str = "shop:1") -> list[str]:
        items = self.ask("GET", self.path("pods"))["items"]
        return [item["metadata"]["name"] for item in items if item["spec"]["containers"][0]["image"] == image]

    def report(self, status: Object, *, image: str = "shop:1", count: int = 1) -> list[str]:
        """Wait for the pods of an image and write their status, as a kubelet does."""
        eventually(lambda: len(self.pods(image)) == count)
        names = self.pods(image)
        for name in names:
            self.ask("PATCH", f"{self.path('pods', name)}/status", {"status": status})
        return names

    def look(self, *refs: ObjectRef) -> Rollout:
        return look(self.connection, refs, applyset=self.applyset)

    def until(self, condition: Callable[[Rollout], bool], *refs: ObjectRef) -> Rollout:
        eventually(lambda: condition(self.look(*refs)))
        return self.look(*refs)


def eventually(condition: Callable[[], bool], seconds: float = 15) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(POLL)


def done(rollout: Rollout) -> bool:
    return rollout.ready == rollout.total


def has_failed(rollout: Rollout) -> bool:
    return bool(rollout.failed)


@pytest.fixture
def stage(connection: Connection, namespace: str) -> Stage:
    return Stage(connection, namespace, f"applyset-{secrets.token_hex(8)}-v1")


def test_a_rollout_goes_on_as_its_pods_get_ready(stage: Stage) -> None:
    web, cart = stage.deployment("web"), stage.deployment("cart", replicas=0)
    config = ObjectRef("v1", "ConfigMap", stage.namespace, "never-asked-for")
    refs = (web, cart, stage.service("web"), config)
    before = stage.until(lambda rollout: rollout.ready == 2, *refs)
    assert (before.total, before.failed, [each.ref for each in before.waiting]) == (3, (), [web])
    eventually(lambda: stage.look(*refs).waiting[0].reason == "0 of 1 replica available")
    stage.report(READY)
    assert stage.until(done, *refs) == Rollout(total=3, ready=3, waiting=(), failed=())


def test_a_crash_loop_fails_at_once_with_the_last_message(stage: Stage) -> None:
    web, cart = stage.deployment("web"), stage.deployment("cart", replicas=0)
    [name] = stage.report(looping("cannot reach database\n"))
    rollout = stage.until(lambda rollout: has_failed(rollout) and rollout.ready == 1, web, cart)
    told = (
        f"pod {name}: container main: CrashLoopBackOff: back-off 10s restarting failed container; "
        "last exit 1: cannot reach database"
    )
    assert rollout == Rollout(total=2, ready=1, waiting=(), failed=(Unready(web, told),))


def test_an_image_that_is_being_tried_is_waited_for_with_the_reason(stage: Stage) -> None:
    web = stage.deployment("web")
    container = looping("")["containerStatuses"][0] | {"lastState": {}}
    waiting = {"state": {"waiting": {"reason": "ErrImagePull", "message": "manifest unknown"}}}
    [name] = stage.report({"phase": "Pending", "containerStatuses": [container | waiting]})
    rollout = stage.until(lambda rollout: "ErrImagePull" in str(rollout.waiting), web)
    assert rollout.waiting[0].reason.endswith(f"; pod {name}: container main: ErrImagePull: manifest unknown")
    assert rollout.failed == ()


def test_a_crash_loop_of_the_old_pods_does_not_count(stage: Stage) -> None:
    web = stage.deployment("web")
    stage.report(looping("old trouble"))
    stage.until(has_failed, web)
    stage.new_image(web, "shop:2")
    assert stage.look(web).failed == ()
    stage.report({"phase": "Pending"}, image="shop:2")
    assert stage.look(web).failed == ()
    stage.report(READY, image="shop:2")
    assert stage.until(done, web).failed == ()


def test_a_deployment_that_stalls_fails_at_its_deadline_with_its_reason(stage: Stage) -> None:
    web = stage.deployment("web", progressDeadlineSeconds=1)
    failed = stage.until(has_failed, web).failed
    assert failed[0].reason.startswith("ProgressDeadlineExceeded: ReplicaSet ")
    assert "timed out progressing" in failed[0].reason


def test_what_the_controller_has_not_seen_yet_is_not_ready(stage: Stage) -> None:
    web = stage.deployment("web")
    stage.report(READY)
    stage.until(done, web)
    for image in ("shop:2", "shop:3", "shop:4"):
        stage.new_image(web, image)
        assert stage.look(web).ready == 0


def test_what_somebody_deleted_has_failed(stage: Stage) -> None:
    web, service = stage.deployment("web", replicas=0), stage.service("web")
    stage.until(done, web, service)
    stage.ask("DELETE", stage.path("services", "web"))
    [lost] = stage.look(web, service).failed
    assert lost.ref == service
    assert lost.reason.startswith("not there any more: somebody deleted it")


def test_a_job_may_be_gone_after_it_ended(stage: Stage) -> None:
    seed = ObjectRef("batch/v1", "Job", stage.namespace, "seed")
    assert stage.look(seed) == Rollout(total=1, ready=1, waiting=(), failed=())


def test_objects_of_another_applyset_are_not_ours(stage: Stage) -> None:
    service = stage.service("web")
    other = Stage(stage.connection, stage.namespace, f"applyset-{secrets.token_hex(8)}-v1")
    assert stage.look(service).ready == 1
    assert [each.ref for each in other.look(service).failed] == [service]


def test_a_kind_that_the_cluster_lost_fails_its_objects_only(stage: Stage) -> None:
    gadget = ObjectRef("example.com/v1", "Gadget", stage.namespace, "a")
    rollout = stage.look(stage.service("web"), gadget)
    assert rollout.ready == 1
    assert "example.com/v1" in rollout.failed[0].reason


@pytest.mark.parametrize(("mode", "ready"), [("WaitForFirstConsumer", 1), ("Immediate", 0)])
def test_a_claim_that_waits_for_a_pod_holds_nothing_up(
    stage: Stage, clean: Callable[[str], None], mode: str, ready: int
) -> None:
    name = f"test-{secrets.token_hex(4)}"
    clean(f"/apis/storage.k8s.io/v1/storageclasses/{name}")
    storage = {"metadata": {"name": name}, "provisioner": "example.com/none", "volumeBindingMode": mode}
    stage.ask("POST", "/apis/storage.k8s.io/v1/storageclasses", storage)
    claim = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}, "storageClassName": name}
    ref = stage.add("v1", "PersistentVolumeClaim", "data", spec=claim)
    assert stage.look(ref).ready == ready
    placed = {"metadata": {"annotations": {"volume.kubernetes.io/selected-node": "node-1"}}}
    stage.ask("PATCH", stage.path("persistentvolumeclaims", "data"), placed)
    assert stage.look(ref).waiting == (Unready(ref, "not bound to a volume yet (Pending)"),)
    stage.ask("PATCH", stage.path("persistentvolumeclaims", "data/status"), {"status": {"phase": "Bound"}})
    assert stage.look(ref).ready == 1


def test_nothing_to_watch_asks_nothing(stage: Stage) -> None:
    assert look(stage.connection, [], applyset="x") == Rollout(total=0, ready=0, waiting=(), failed=())


@pytest.fixture
def proxied(kubeconfig: Path, stage: Stage, to_kubeconfig: Callable[..., ClusterSettings]) -> Iterator[Stage]:
    """The stage, seen through a proxy that notes every request."""
    with FaultyProxy(kubeconfig, method="none") as proxy, connect(to_kubeconfig(proxy.document)) as connection:
        yield Stage(connection, stage.namespace, stage.applyset, proxy)


def lists(stage: Stage) -> list[str]:
    """Every collection that was asked for, without its query."""
    assert stage.proxy is not None
    assert {request.method for request in stage.proxy.requests} == {"GET"}
    return [request.path for request in stage.proxy.requests if f"/namespaces/{stage.namespace}/" in request.path]


def test_a_healthy_rollout_costs_one_list_for_each_kind(stage: Stage, proxied: Stage) -> None:
    refs = [stage.deployment(f"web-{number}", replicas=0) for number in range(10)]
    refs += [stage.service(f"web-{number}") for number in range(100)]
    refs += [ObjectRef("v1", "ConfigMap", stage.namespace, f"web-{number}") for number in range(100)]
    stage.until(done, *refs)
    assert proxied.look(*refs).ready == 110
    assert sorted(lists(proxied)) == [stage.path("services"), stage.path("deployments")]
    assert proxied.proxy is not None
    assert len(proxied.proxy.requests) == 4  # with what each of the two groups serves


def test_many_that_are_not_ready_cost_two_lists_more(stage: Stage, proxied: Stage) -> None:
    refs = [stage.deployment(f"web-{number}") for number in range(5)]
    eventually(lambda: len(stage.pods()) == 5)
    stage.until(lambda rollout: len(rollout.waiting) == 5, *refs)
    assert len(proxied.look(*refs).waiting) == 5
    assert sorted(lists(proxied)) == [
        stage.path("pods"),
        stage.path("deployments"),
        stage.path("replicasets"),
    ]


def forbidding(stage: Stage, plural: str) -> None:
    """Refuse to list a kind to whoever comes through the proxy."""
    proxy = stage.proxy
    assert proxy is not None
    answer = proxy.answer
    refusal = Reply(403, {"kind": "Status", "code": 403, "reason": "Forbidden", "message": "no"})
    proxy.answer = lambda request: refusal if request.path.endswith(f"/{plural}") else answer(request)


@pytest.mark.parametrize("plural", ["pods", "replicasets"])
def test_not_being_allowed_to_list_pods_costs_reasons_only(stage: Stage, proxied: Stage, plural: str) -> None:
    web = stage.deployment("web")
    stage.report(looping("why"))
    stage.until(has_failed, web)
    forbidding(proxied, plural)
    told = (Unready(web, "0 of 1 replica available"),)
    assert proxied.until(lambda rollout: rollout.waiting == told, web).failed == ()


def test_not_being_allowed_to_list_what_was_applied_is_an_error(stage: Stage, proxied: Stage) -> None:
    web = stage.deployment("web")
    forbidding(proxied, "deployments")
    with pytest.raises(Permanent, match=r"listing deployments in namespace .* is not allowed"):
        proxied.look(web)
