"""What is healthy, by the statuses that objects of each kind have on their way."""

from __future__ import annotations

from typing import Any

import pytest

from deployer.cluster.health import Health, judge, watched
from deployer.model import ObjectRef

READY, PROGRESSING, FAILED = Health.READY, Health.PROGRESSING, Health.FAILED
Object = dict[str, Any]


def thing(kind: str, *, spec: Object | None = None, status: Object | None = None, **meta: Any) -> Object:
    api_version, _, name = kind.rpartition(" ")
    content: Object = {"apiVersion": api_version, "kind": name, "metadata": {"name": "a", "generation": 1, **meta}}
    return content | ({"spec": spec} if spec is not None else {}) | ({"status": status} if status is not None else {})


def condition(kind: str, status: str = "True", reason: str = "", message: str = "", **rest: Any) -> Object:
    return {"type": kind, "status": status, "reason": reason, "message": message, **rest}


NEW_AVAILABLE = condition("Progressing", "True", "NewReplicaSetAvailable")
UPDATING = condition("Progressing", "True", "ReplicaSetUpdated")
AVAILABLE = condition("Available", "True", "MinimumReplicasAvailable")


def deployment(number: int = 3, /, *conditions: Object, spec: Object | None = None, **status: Any) -> Object:
    wanted = {"replicas": number, "progressDeadlineSeconds": 600} | (spec or {})
    full = {"observedGeneration": 1} | status | {"conditions": list(conditions)}
    return thing("apps/v1 Deployment", spec=wanted, status=full)


def all_of(number: int) -> Object:
    return {"replicas": number, "updatedReplicas": number, "readyReplicas": number, "availableReplicas": number}


DEPLOYMENTS = [
    (deployment(3, NEW_AVAILABLE, AVAILABLE, **all_of(3)), READY, "3 replicas ready"),
    (deployment(1, NEW_AVAILABLE, AVAILABLE, **all_of(1)), READY, "1 replica ready"),
    (deployment(0, NEW_AVAILABLE, AVAILABLE), READY, "0 replicas ready"),
    (deployment(3, NEW_AVAILABLE, AVAILABLE, **all_of(3), terminatingReplicas=2), READY, "3 replicas ready"),
    (deployment(3, UPDATING), PROGRESSING, "0 of 3 replicas created"),
    (deployment(3, UPDATING, AVAILABLE, **all_of(3) | {"updatedReplicas": 2}), PROGRESSING, "2 of 3 replicas updated"),
    (deployment(3, UPDATING, AVAILABLE, **all_of(3) | {"replicas": 4}), PROGRESSING,
     "1 replica more than wanted still there"),
    (deployment(3, UPDATING, AVAILABLE, **all_of(3) | {"availableReplicas": 1}), PROGRESSING,
     "1 of 3 replicas available"),
    (deployment(3, UPDATING, AVAILABLE, **all_of(3) | {"readyReplicas": 2}), PROGRESSING, "2 of 3 replicas ready"),
    (deployment(3, UPDATING, AVAILABLE, **all_of(3)), PROGRESSING, "its new ReplicaSet is not available yet"),
    (deployment(3, NEW_AVAILABLE, condition("Available", "False", "Few", "too few"), **all_of(3)), PROGRESSING,
     "Few: too few"),
    (deployment(3, NEW_AVAILABLE, **all_of(3)), PROGRESSING, "not available yet"),
    (deployment(3, AVAILABLE, spec={"progressDeadlineSeconds": 2**31 - 1}, **all_of(3)), READY, "3 replicas ready"),
    (deployment(3, condition("Progressing", "False", "ProgressDeadlineExceeded", 'ReplicaSet "a" has timed out.')),
     FAILED, 'ProgressDeadlineExceeded: ReplicaSet "a" has timed out.'),
    (deployment(3, condition("ReplicaFailure", "True", "FailedCreate", "exceeded quota"), replicas=1), PROGRESSING,
     "1 of 3 replicas created; FailedCreate: exceeded quota"),
    (deployment(3, spec={"paused": True}, replicas=3), PROGRESSING, "0 of 3 replicas updated; it is paused"),
    (thing("apps/v1 Deployment", spec={}), PROGRESSING, "its controller has not seen it yet"),
    (thing("apps/v1 Deployment", spec={}, status={"observedGeneration": 1}), PROGRESSING, "0 of 1 replica created"),
]  # fmt: skip

REPLICA_SET: Object = {"replicas": 2, "fullyLabeledReplicas": 2, "readyReplicas": 2, "availableReplicas": 2}


def replica_set(**status: Any) -> Object:
    return thing("apps/v1 ReplicaSet", spec={"replicas": 2}, status={"observedGeneration": 1} | status)


REPLICA_SETS = [
    (replica_set(**REPLICA_SET), READY, "2 replicas ready"),
    (replica_set(**REPLICA_SET, terminatingReplicas=1), READY, "2 replicas ready"),
    (replica_set(**REPLICA_SET | {"fullyLabeledReplicas": 1}), PROGRESSING, "1 of 2 replicas labelled"),
    (replica_set(**REPLICA_SET | {"availableReplicas": 1}), PROGRESSING, "1 of 2 replicas available"),
    (replica_set(**REPLICA_SET | {"readyReplicas": 0}), PROGRESSING, "0 of 2 replicas ready"),
    (replica_set(**REPLICA_SET | {"replicas": 4}), PROGRESSING, "2 replicas more than wanted still there"),
    (replica_set(**REPLICA_SET, conditions=[condition("ReplicaFailure", "True", "FailedCreate", "no quota")]),
     PROGRESSING, "FailedCreate: no quota"),
    (replica_set(**REPLICA_SET, conditions=[condition("ReplicaFailure", "False")]), READY, "2 replicas ready"),
    (thing("apps/v1 ReplicaSet", status={"replicas": 0}), PROGRESSING, "its controller has not seen it yet"),
]  # fmt: skip


def stateful_set(number: int = 3, /, *, strategy: Object | None = None, **status: Any) -> Object:
    spec = {"replicas": number} | ({"updateStrategy": strategy} if strategy else {})
    return thing("apps/v1 StatefulSet", spec=spec, status={"observedGeneration": 1} | status)


def rolling(partition: int) -> Object:
    return {"type": "RollingUpdate", "rollingUpdate": {"partition": partition}}


STATEFUL_SET: Object = {"replicas": 3, "readyReplicas": 3, "currentReplicas": 3, "availableReplicas": 3}
SAME: Object = {"currentRevision": "a-1", "updateRevision": "a-1"}
STATEFUL_SETS = [
    (stateful_set(**STATEFUL_SET, **SAME), READY, "3 replicas ready"),
    (stateful_set(**STATEFUL_SET | {"replicas": 1}), PROGRESSING, "1 of 3 replicas created"),
    (stateful_set(**STATEFUL_SET | {"readyReplicas": 2}), PROGRESSING, "2 of 3 replicas ready"),
    (stateful_set(**STATEFUL_SET | {"replicas": 4}), PROGRESSING, "1 replica more than wanted still there"),
    (stateful_set(**STATEFUL_SET | {"currentReplicas": 2}), PROGRESSING, "2 of 3 replicas of the current revision"),
    (stateful_set(**STATEFUL_SET, currentRevision="a-1", updateRevision="a-2"), PROGRESSING,
     "revision a-2 has not taken the place of a-1 yet"),
    (stateful_set(**STATEFUL_SET, strategy=rolling(0), updatedReplicas=3), READY, "3 replicas ready"),
    (stateful_set(**STATEFUL_SET, strategy=rolling(0), updatedReplicas=2), PROGRESSING, "2 of 3 replicas updated"),
    (stateful_set(**STATEFUL_SET, strategy=rolling(2), updatedReplicas=1), READY, "3 replicas ready"),
    (stateful_set(**STATEFUL_SET, strategy=rolling(2), updatedReplicas=0), PROGRESSING, "0 of 1 replica updated"),
    (stateful_set(**STATEFUL_SET, strategy=rolling(9), updatedReplicas=0), READY, "3 replicas ready"),
    (stateful_set(strategy={"type": "OnDelete"}), READY, "its pods are updated when somebody deletes them"),
    (stateful_set(0, strategy=rolling(0), replicas=0), READY, "0 replicas ready"),
    (thing("apps/v1 StatefulSet", spec={"updateStrategy": {"type": "OnDelete"}}), PROGRESSING,
     "its controller has not seen it yet"),
]  # fmt: skip

DAEMON_SET: Object = {
    "desiredNumberScheduled": 4, "currentNumberScheduled": 4, "updatedNumberScheduled": 4, "numberAvailable": 4,
    "numberReady": 4,
}  # fmt: skip


def daemon_set(**status: Any) -> Object:
    return thing("apps/v1 DaemonSet", status={"observedGeneration": 1} | status)


DAEMON_SETS = [
    (daemon_set(**DAEMON_SET), READY, "4 replicas ready"),
    (daemon_set(**dict.fromkeys(DAEMON_SET, 0)), READY, "0 replicas ready"),
    (daemon_set(**DAEMON_SET | {"currentNumberScheduled": 3}), PROGRESSING, "3 of 4 replicas created"),
    (daemon_set(**DAEMON_SET | {"updatedNumberScheduled": 2}), PROGRESSING, "2 of 4 replicas updated"),
    (daemon_set(**DAEMON_SET | {"numberAvailable": 1}), PROGRESSING, "1 of 4 replicas available"),
    (daemon_set(**DAEMON_SET | {"numberReady": 0}), PROGRESSING, "0 of 4 replicas ready"),
    (daemon_set(currentNumberScheduled=1), PROGRESSING, "not known yet on how many nodes it is to run"),
    (thing("apps/v1 DaemonSet", status={"desiredNumberScheduled": 0}), PROGRESSING,
     "its controller has not seen it yet"),
]  # fmt: skip

STARTED: Object = {"startTime": "2026-11-01T10:00:00Z"}


def job(*conditions: Object, spec: Object | None = None, **status: Any) -> Object:
    return thing("batch/v1 Job", spec=spec or {}, status=status | {"conditions": list(conditions)})


JOBS = [
    (job(condition("SuccessCriteriaMet"), condition("Complete"), succeeded=1, **STARTED), READY, "1 of 1 completed"),
    (job(condition("Complete"), spec={"completions": 4}, succeeded=4), READY, "4 of 4 completed"),
    (job(active=1, ready=1, terminating=0, **STARTED), READY, "running"),
    (job(condition("Failed", "False"), condition("Complete", "False"), failed=1, **STARTED), READY, "running"),
    (job(condition("Suspended", "True", "JobSuspended")), READY, "suspended"),
    (job(), PROGRESSING, "not started yet"),
    (thing("batch/v1 Job"), PROGRESSING, "not started yet"),
    (job(condition("Failed", "True", "BackoffLimitExceeded", "Job has reached the specified backoff limit"), **STARTED),
     FAILED, "BackoffLimitExceeded: Job has reached the specified backoff limit"),
    (job(condition("FailureTarget", "True", "PodFailurePolicy", "exit code 42"), active=2, **STARTED),
     FAILED, "PodFailurePolicy: exit code 42"),
]  # fmt: skip


def pod(phase: str = "", *conditions: Object, **status: Any) -> Object:
    return thing("v1 Pod", status=({"phase": phase} if phase else {}) | status | {"conditions": list(conditions)})


LOOPING = {"name": "app", "state": {"waiting": {"reason": "CrashLoopBackOff"}}}
PODS = [
    (pod("Running", condition("Ready")), READY, "ready"),
    (pod("Running", condition("Ready", observedGeneration=1), observedGeneration=1), READY, "ready"),
    (pod("Succeeded", condition("Ready", "False", "PodCompleted")), READY, "completed"),
    (pod("Failed", reason="Evicted", message="The node was low on memory."), FAILED,
     "Evicted: The node was low on memory."),
    (pod("Failed"), FAILED, "its containers failed"),
    (pod("Running", condition("Ready", "False"), containerStatuses=[LOOPING]), FAILED,
     "CrashLoopBackOff: container app"),
    (pod("Running", condition("Ready", "False")), PROGRESSING, "running, not ready yet"),
    (pod("Pending", condition("PodScheduled", "False", "Unschedulable")), PROGRESSING, "pending"),
    (pod("Unknown"), PROGRESSING, "unknown"),
    (thing("v1 Pod"), PROGRESSING, "not seen yet"),
]  # fmt: skip


def custom(*conditions: Object, **status: Any) -> Object:
    return thing("example.com/v1 Gadget", status=status | {"conditions": list(conditions)})


def definition(*conditions: Object) -> Object:
    kind = "apiextensions.k8s.io/v1 CustomResourceDefinition"
    return thing(kind, status={"conditions": list(conditions), "acceptedNames": {"plural": "", "kind": ""}})


ACCEPTED = condition("NamesAccepted", "True", "NoConflicts")
OTHERS = [
    (thing("v1 Service", spec={"type": "ClusterIP"}), READY, "ready"),
    (thing("v1 Service", spec={"type": "NodePort"}, status={"loadBalancer": {}}), READY, "ready"),
    (thing("v1 Service", spec={"type": "ExternalName"}), READY, "ready"),
    (thing("v1 Service", spec={"type": "LoadBalancer"}), PROGRESSING, "no cluster address yet"),
    (thing("v1 Service", spec={"type": "LoadBalancer", "clusterIP": "10.0.0.7"}, status={"loadBalancer": {}}), READY,
     "ready"),
    (thing("v1 PersistentVolumeClaim", status={"phase": "Bound"}), READY, "bound"),
    (thing("v1 PersistentVolumeClaim", status={"phase": "Pending"}), PROGRESSING,
     "not bound to a volume yet (Pending)"),
    (thing("v1 PersistentVolumeClaim", status={"phase": "Lost"}), PROGRESSING, "not bound to a volume yet (Lost)"),
    (thing("v1 PersistentVolumeClaim"), PROGRESSING, "not bound to a volume yet (no phase)"),
    (thing("policy/v1 PodDisruptionBudget", status={"observedGeneration": 1, "disruptionsAllowed": 0}), READY,
     "observed"),
    (thing("policy/v1 PodDisruptionBudget"), READY, "observed"),
    (definition(ACCEPTED, condition("Established", "True", "InitialNamesAccepted")), READY, "established"),
    (definition(ACCEPTED, condition("Established", "False", "Installing", "the initial names have been accepted")),
     PROGRESSING, "not established yet (Installing: the initial names have been accepted)"),
    (definition(condition("NamesAccepted", "False", "PluralConflict", '"a" is already in use'),
                condition("Established", "False", "NotAccepted")), FAILED, 'PluralConflict: "a" is already in use'),
    (definition(ACCEPTED, condition("Established", "False", "NotAccepted", "not all names are accepted")), FAILED,
     "NotAccepted: not all names are accepted"),
    (thing("apiextensions.k8s.io/v1 CustomResourceDefinition"), PROGRESSING, "not established yet"),
    (thing("apiregistration.k8s.io/v1 APIService", status={"conditions": [condition("Available", "True", "Local")]}),
     READY, "available"),
    (thing("apiregistration.k8s.io/v1 APIService",
           status={"conditions": [condition("Available", "False", "MissingEndpoints", "no endpoints")]}),
     PROGRESSING, "MissingEndpoints: no endpoints"),
    (thing("apiregistration.k8s.io/v1 APIService"), PROGRESSING, "not available yet"),
    (thing("autoscaling/v2 HorizontalPodAutoscaler"), READY, "ready"),
    (thing("autoscaling/v2 HorizontalPodAutoscaler",
           status={"conditions": [condition("AbleToScale"), condition("ScalingLimited", "True", "TooFewReplicas")]}),
     READY, "ready"),
    (thing("batch/v1 CronJob"), READY, "ready"),
    (thing("networking.k8s.io/v1 Ingress", status={"loadBalancer": {}}), READY, "ready"),
    (thing("v1 ConfigMap"), READY, "ready"),
    (thing("v1 Namespace", status={"phase": "Active"}), READY, "ready"),
    (custom(), READY, "ready"),
    (thing("example.com/v1 Gadget"), READY, "ready"),
    (custom(condition("Ready", "True", "AllOk", "fine")), READY, "ready"),
    (custom(condition("Ready", "False", "NotYet", "still cooking")), PROGRESSING, "NotYet: still cooking"),
    (custom(condition("Ready", "Unknown")), PROGRESSING, "Ready is Unknown"),
    (custom(condition("Something", "False")), READY, "ready"),
    (custom(condition("Reconciling", "True", "Progressing", "2 of 5")), PROGRESSING, "Progressing: 2 of 5"),
    (custom(condition("Reconciling", "False"), condition("Stalled", "False")), READY, "ready"),
    (custom(condition("Ready", "True"), condition("Reconciling", "True", "Busy")), PROGRESSING, "Busy"),
    (custom(condition("Stalled", "True", "BadSpec", "size must be even"), condition("Ready", "False")), FAILED,
     "BadSpec: size must be even"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("content", "health", "reason"),
    [*DEPLOYMENTS, *REPLICA_SETS, *STATEFUL_SETS, *DAEMON_SETS, *JOBS, *PODS, *OTHERS],
)
def test_the_health_of_an_object(content: Object, health: Health, reason: str) -> None:
    assert (judge(content).health, judge(content).reason) == (health, reason)


HEALTHY = [
    content for content, health, _ in [*DEPLOYMENTS, *STATEFUL_SETS, *DAEMON_SETS, *REPLICA_SETS] if health is READY
]


@pytest.mark.parametrize("content", HEALTHY)
@pytest.mark.parametrize("seen", [1, 6])
def test_a_status_about_another_generation_is_not_believed(content: Object, seen: int) -> None:
    stale = content | {
        "metadata": content["metadata"] | {"generation": 5},
        "status": content["status"] | {"observedGeneration": seen},
    }
    assert judge(stale).health is PROGRESSING
    assert judge(stale).reason == f"generation 5 is not observed yet, only {seen}"


@pytest.mark.parametrize("status", ["True", "False"])
@pytest.mark.parametrize("kind", ["Ready", "Stalled", "Reconciling"])
def test_a_condition_about_an_older_generation_decides_nothing_for_good(kind: str, status: str) -> None:
    content = thing(
        "example.com/v1 Gadget",
        generation=3,
        status={
            "conditions": [condition(kind, status, observedGeneration=2), condition("Ready", observedGeneration=2)]
        },
    )
    assert judge(content).health is PROGRESSING
    assert judge(content).reason == "Ready is not yet about generation 3"


def test_a_failure_of_an_older_generation_is_not_held_against_the_new_one() -> None:
    over = condition("Progressing", "False", "ProgressDeadlineExceeded")
    content = deployment(1, over)
    content["metadata"]["generation"] = 2
    assert judge(content).health is PROGRESSING


@pytest.mark.parametrize("content", [*HEALTHY, custom(condition("Stalled"))])
def test_what_is_being_deleted_is_not_ready(content: Object) -> None:
    going = content | {"metadata": content["metadata"] | {"deletionTimestamp": "2026-11-01T10:00:00Z"}}
    assert (judge(going).health, judge(going).reason) == (PROGRESSING, "being deleted")


def test_a_reason_is_one_short_line_without_control_characters() -> None:
    reason = judge(custom(condition("Stalled", "True", "Bad\x1b[31m", "one\ntwo\u202e " + "x" * 5000))).reason
    assert reason.isprintable()
    assert reason.startswith("Bad [31m: one two x")
    assert len(reason) <= 500


@pytest.mark.parametrize("status", ["text", 7, [], None, {"conditions": "none"}, {"conditions": [1, None, {}, []]}])
@pytest.mark.parametrize(
    "kind",
    ["apps/v1 Deployment", "apps/v1 DaemonSet", "batch/v1 Job", "v1 Pod", "v1 Service", "example.com/v1 Gadget"],
)
def test_a_status_of_another_shape_is_no_accident(kind: str, status: Any) -> None:
    assert judge({**thing(kind), "status": status, "spec": status}).health is not FAILED


@pytest.mark.parametrize("content", [{}, {"metadata": None}, {"kind": 1, "metadata": {"generation": "x"}}])
def test_something_that_is_hardly_an_object_is_judged_as_well(content: Object) -> None:
    assert judge(content).health is READY


def test_a_number_that_is_none_counts_as_not_there() -> None:
    assert judge(deployment(2, NEW_AVAILABLE, AVAILABLE, **all_of(True))).reason == "0 of 2 replicas created"


@pytest.mark.parametrize(
    ("api_version", "kind", "expected"),
    [
        ("apps/v1", "Deployment", True),
        ("v1", "Service", True),
        ("autoscaling/v2", "HorizontalPodAutoscaler", True),
        ("policy/v1", "PodDisruptionBudget", True),
        ("example.com/v1", "ConfigMap", True),
        ("example.com/v1", "Gadget", True),
        ("v1", "ConfigMap", False),
        ("v1", "Secret", False),
        ("v1", "Namespace", False),
        ("batch/v1", "CronJob", False),
        ("batch/v1beta1", "CronJob", False),
        ("networking.k8s.io/v1", "Ingress", False),
        ("rbac.authorization.k8s.io/v1", "Role", False),
        ("storage.k8s.io/v1", "StorageClass", False),
    ],
)
def test_what_is_worth_watching(api_version: str, kind: str, expected: bool) -> None:
    assert watched(ObjectRef(api_version, kind, None, "a")) is expected


@pytest.mark.parametrize(("content", "health", "_reason"), OTHERS)
def test_what_is_not_watched_is_ready_once_it_is_there(content: Object, health: Health, _reason: str) -> None:
    if not watched(ObjectRef(content["apiVersion"], content["kind"], None, "a")):
        assert health is READY
