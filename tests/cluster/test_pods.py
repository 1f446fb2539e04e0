"""Why pods do not come up, by what their kubelets write into them."""

from __future__ import annotations

from typing import Any

import pytest

from deployer.cluster.pods import Trouble, selector, trouble

Object = dict[str, Any]
REVISION = "deployment.kubernetes.io/revision"


def thing(kind: str, name: str, *, owner: str = "", **meta: Any) -> Object:
    api_version, _, word = kind.rpartition(" ")
    owners = {"ownerReferences": [{"uid": owner, "controller": True}]} if owner else {}
    return {"apiVersion": api_version, "kind": word, "metadata": {"name": name, "uid": f"uid-{name}", **owners, **meta}}


def waiting(reason: str, message: str = "", *, last: Object | None = None, name: str = "app") -> Object:
    state = {"waiting": {"reason": reason, "message": message}}
    return {"name": name, "state": state, "lastState": {"terminated": last} if last else {}}


def pod(name: str, *containers: Object, owner: str = "uid-web", **rest: Any) -> Object:
    status = {"phase": "Pending", "containerStatuses": list(containers), **rest.pop("status", {})}
    return thing("v1 Pod", name, owner=owner, **rest) | {"status": status}


WEB = thing("apps/v1 ReplicaSet", "web")
LOOPING = waiting("CrashLoopBackOff", "back-off 10s restarting failed container", last={"exitCode": 1})


def found(*pods: Object, workload: Object = WEB, replica_sets: tuple[Object, ...] = ()) -> Trouble | None:
    return trouble(workload, replica_sets=replica_sets, pods=pods)


@pytest.mark.parametrize(
    ("container", "reason", "hopeless"),
    [
        (waiting("ImagePullBackOff", 'Back-off pulling image "web:2"'),
         'ImagePullBackOff: Back-off pulling image "web:2"', True),
        (waiting("InvalidImageName", "couldn't parse image"), "InvalidImageName: couldn't parse image", True),
        (waiting("ErrImageNeverPull", "not present"), "ErrImageNeverPull: not present", True),
        (waiting("CrashLoopBackOff", "back-off", last={"exitCode": 1, "reason": "Error", "message": "no database\n"}),
         "CrashLoopBackOff: back-off; last exit 1: no database", True),
        (waiting("CrashLoopBackOff", "back-off", last={"exitCode": 137, "reason": "OOMKilled"}),
         "CrashLoopBackOff: back-off; last exit 137 (OOMKilled)", True),
        (waiting("CrashLoopBackOff"), "CrashLoopBackOff", True),
        (waiting("ErrImagePull", "manifest unknown"), "ErrImagePull: manifest unknown", False),
        (waiting("CreateContainerConfigError", 'secret "db" not found'),
         'CreateContainerConfigError: secret "db" not found', False),
        (waiting("CreateContainerError", "name in use"), "CreateContainerError: name in use", False),
        (waiting("RunContainerError", "no such file"), "RunContainerError: no such file", False),
        (waiting("SomethingNew", "?"), "SomethingNew: ?", False),
    ],
)  # fmt: skip
def test_a_container_that_waits_says_why(container: Object, reason: str, hopeless: bool) -> None:
    assert found(pod("web-x", container)) == Trouble(f"pod web-x: container app: {reason}", hopeless)


@pytest.mark.parametrize(
    "container",
    [
        waiting("ContainerCreating"),
        waiting("PodInitializing"),
        waiting(""),
        {"name": "app", "state": {"running": {"startedAt": "2026-11-01T10:00:00Z"}}},
        {"name": "app"},
        {},
    ],
)
def test_a_container_on_its_way_is_no_trouble(container: Object) -> None:
    assert found(pod("web-x", container)) is None


def test_an_init_container_counts() -> None:
    init = [waiting("CrashLoopBackOff", "back-off", last={"exitCode": 3}, name="migrate")]
    trouble_ = found(pod("web-x", waiting("PodInitializing"), status={"initContainerStatuses": init}))
    assert trouble_ == Trouble("pod web-x: container migrate: CrashLoopBackOff: back-off; last exit 3", hopeless=True)


@pytest.mark.parametrize("reason", ["Unschedulable", "SchedulingGated"])
def test_a_pod_without_a_node_is_waited_for(reason: str) -> None:
    conditions = [{"type": "PodScheduled", "status": "False", "reason": reason, "message": "0/3 nodes are available"}]
    assert found(pod("web-x", status={"conditions": conditions})) == Trouble(
        f"pod web-x: {reason}: 0/3 nodes are available", hopeless=False
    )


def test_a_pod_that_ended_badly_says_how() -> None:
    ended = {"name": "app", "state": {"terminated": {"exitCode": 2, "reason": "Error", "message": "bad flag"}}}
    job = thing("batch/v1 Job", "seed")
    failed = pod("seed-x", ended, owner="uid-seed", status={"phase": "Failed"})
    assert found(failed, workload=job) == Trouble("pod seed-x: container app: exit 2: bad flag", hopeless=False)


def test_what_is_hopeless_is_told_before_what_is_not() -> None:
    pulling = pod("web-a", waiting("ErrImagePull"))
    trouble_ = found(pulling, pod("web-b", waiting("CreateContainerError"), LOOPING))
    assert trouble_ is not None
    assert trouble_.hopeless
    assert trouble_.reason.startswith("pod web-b: container app: CrashLoopBackOff")


def test_pods_of_others_and_pods_that_go_do_not_count() -> None:
    going = pod("web-x", LOOPING, deletionTimestamp="2026-11-01T10:00:00Z")
    assert found(going, pod("api-x", LOOPING, owner="uid-api"), pod("alone", LOOPING, owner="")) is None


def replica_set(name: str, revision: str | None, *, owner: str = "uid-shop") -> Object:
    return thing("apps/v1 ReplicaSet", name, owner=owner, annotations={REVISION: revision} if revision else {})


SHOP = thing("apps/v1 Deployment", "shop")


@pytest.mark.parametrize(("newest", "old"), [("2", "1"), ("10", "9"), ("1", None), ("1", "x"), ("1", "²")])
def test_only_the_newest_replica_set_of_a_deployment_counts(newest: str, old: str | None) -> None:
    sets = (replica_set("new", newest), replica_set("old", old), replica_set("other", "99", owner="uid-else"))
    stuck, fine = pod("a", LOOPING, owner="uid-old"), pod("b", waiting("ContainerCreating"), owner="uid-new")
    assert found(stuck, fine, workload=SHOP, replica_sets=sets) is None
    assert found(pod("b", LOOPING, owner="uid-new"), workload=SHOP, replica_sets=sets[::-1]) is not None


def test_a_deployment_without_replica_sets_has_no_pods() -> None:
    assert found(pod("a", LOOPING, owner=""), workload=SHOP) is None


def test_a_paused_deployment_has_no_newest_pods() -> None:
    paused = SHOP | {"spec": {"paused": True}}
    pods = pod("a", LOOPING, owner="uid-new")
    assert found(pods, workload=paused, replica_sets=(replica_set("new", "2"),)) is None


def test_only_the_newest_revision_of_a_stateful_set_counts() -> None:
    database = thing("apps/v1 StatefulSet", "db") | {"status": {"updateRevision": "db-2", "currentRevision": "db-1"}}
    label = "controller-revision-hash"
    assert found(pod("db-0", LOOPING, owner="uid-db", labels={label: "db-1"}), workload=database) is None
    assert found(pod("db-1", LOOPING, owner="uid-db", labels={label: "db-2"}), workload=database) is not None


def test_only_the_newest_template_of_a_daemon_set_counts() -> None:
    annotations = {"deprecated.daemonset.template.generation": "4"}
    agent = thing("apps/v1 DaemonSet", "agent", annotations=annotations)
    label = "pod-template-generation"
    assert found(pod("agent-a", LOOPING, owner="uid-agent", labels={label: "3"}), workload=agent) is None
    assert found(pod("agent-b", LOOPING, owner="uid-agent", labels={label: "4"}), workload=agent) is not None


def test_every_pod_counts_when_there_is_no_telling_revisions_apart() -> None:
    for kind in ("apps/v1 StatefulSet", "apps/v1 DaemonSet", "batch/v1 Job"):
        assert found(pod("x", LOOPING, owner="uid-it"), workload=thing(kind, "it")) is not None


def test_a_pod_of_its_own_speaks_for_itself() -> None:
    assert found(workload=pod("alone", LOOPING, owner="")) is not None


def test_what_pods_say_becomes_one_short_line() -> None:
    message = "panic\x1b]0;x\x07: first\n\tsecond\u202e" + "z" * 9000
    container = waiting("CrashLoopBackOff", message, last={"exitCode": 1, "message": message})
    trouble_ = found(pod("web-x", container))
    assert trouble_ is not None
    assert trouble_.reason.isprintable()
    assert len(trouble_.reason) <= 500
    assert "last exit 1: panic ]0;x : first second z" in trouble_.reason


@pytest.mark.parametrize("status", [None, "x", [], {"containerStatuses": {}}, {"containerStatuses": [None, "x", 1]}])
def test_pods_of_another_shape_are_no_accident(status: Any) -> None:
    assert found(thing("v1 Pod", "x", owner="uid-web") | {"status": status}) is None


def choosing(**labels: str) -> Object:
    return {"spec": {"selector": {"matchLabels": labels}}}


@pytest.mark.parametrize(
    ("workloads", "expected"),
    [
        ([choosing(app="web", tier="front")], "app in (web),tier in (front)"),
        ([choosing(app="web", tier="front"), choosing(app="db")], "app in (db,web)"),
        ([choosing(app="web"), choosing(name="db")], ""),
        ([choosing(app="web"), {}], ""),
        ([choosing(app=f"a-rather-long-name-{number}") for number in range(200)], ""),
        ([], ""),
    ],
)
def test_pods_are_asked_for_by_the_labels_that_workloads_share(workloads: list[Object], expected: str) -> None:
    assert selector(workloads) == expected
