"""A thousand objects into a cluster that fails meanwhile: what passes is waited out and told in few lines, what stays
ends the apply soon, and nothing is forgotten."""

from __future__ import annotations

import json
import random
import re
import secrets
import shlex
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from deployer.cluster.applyset import read_head
from deployer.cluster.connection import Connection, connect
from deployer.cluster.link import THREADS
from deployer.model import JSON, PART_OF, Action, Manifest, ObjectResult, PrunePolicy, Temporary
from deployer.retries import Budget
from deployer.settings import ClusterSettings, FileSecret
from tests.cluster.bring import INVENTORY, bring, scope
from tests.cluster.objects import config_map, deployment, service
from tests.cluster.scripted import FaultyProxy, Reply, Request, Reset
from tests.control_plane import ControlPlane, assets, control_plane

pytestmark = pytest.mark.thorough
MANY = 1000
IN_A_HURRY = Budget(attempts=5, first=0.1, longest=0.4)
"""About a second: what it does when it gives up does not depend on when."""

KINDS = {"configmaps": "/api/v1", "services": "/api/v1", "deployments": "/apis/apps/v1"}
Write = Callable[..., ClusterSettings]


def overlay(count: int = MANY) -> list[Manifest]:
    """A third each ConfigMap, Service, Deployment."""
    kinds = (lambda name: config_map(name, of=name), service, deployment)
    return [kinds[number % 3](f"app-{number:04}") for number in range(count)]


def in_cluster(connection: Connection, namespace: str) -> set[tuple[str, str]]:
    """Kind and name of what carries the label of the set."""
    query = {"labelSelector": f"{PART_OF}={scope(namespace).id}"}
    lists: dict[str, Any] = {
        plural: connection.request("GET", f"{api}/namespaces/{namespace}/{plural}", query=query).body
        for plural, api in KINDS.items()
    }
    return {(plural, item["metadata"]["name"]) for plural, found in lists.items() for item in found["items"]}


def wanted(manifests: list[Manifest]) -> set[tuple[str, str]]:
    return {(f"{manifest.ref.kind.lower()}s", manifest.ref.name) for manifest in manifests}


def kinds_in_inventory(connection: Connection, namespace: str) -> frozenset[str]:
    path = f"/api/v1/namespaces/{namespace}/configmaps/{INVENTORY}"
    return read_head(connection.request("GET", path).body).kinds


def actions(results: tuple[ObjectResult, ...]) -> Counter[Action]:
    return Counter(result.action for result in results)


def times(troubles: tuple[str, ...]) -> dict[str, int]:
    """How often each of the troubles was waited out."""
    found = [re.fullmatch(r"(.*) \((\d+) times?\)", line) for line in troubles]
    return {line[1]: int(line[2]) for line in found if line}


@pytest.fixture
def proxy(kubeconfig: Path) -> Iterator[FaultyProxy]:
    with FaultyProxy(kubeconfig) as running:
        yield running


class OneInTen:
    """Refuses a tenth of the requests but for POST, which is not sent again. Which try for which object it is depends
    neither on the order of threads nor on the name of the namespace."""

    def __init__(self, seed: int, *refusals: Reply) -> None:
        self._seed = seed
        self._refusals = refusals
        self._tries: Counter[str] = Counter()
        self._in_a_row: Counter[str] = Counter()
        self._counting = threading.Lock()
        self.refused: Counter[int] = Counter()
        self.longest_row = 0

    def __call__(self, request: Request) -> Reply | None:
        if request.method == "POST":
            return None
        kind_and_name = re.sub(r"/namespaces/[^/]+/", "/", request.path.partition("?")[0])
        with self._counting:
            self._tries[kind_and_name] += 1
            dice = random.Random(f"{self._seed} {kind_and_name} {self._tries[kind_and_name]}")
            if dice.random() >= 0.1:
                self._in_a_row[kind_and_name] = 0
                return None
            refusal = dice.choice(self._refusals)
            self.refused[refusal.status] += 1
            self._in_a_row[kind_and_name] += 1
            self.longest_row = max(self.longest_row, self._in_a_row[kind_and_name])
            return refusal


def test_a_tenth_of_requests_refused(
    proxy: FaultyProxy, to_kubeconfig: Write, connection: Connection, namespace: str
) -> None:
    broken = Reply(500, {"kind": "Status", "message": "etcdserver: leader changed"})
    proxy.trouble = trouble = OneInTen(9, Reply(429, headers={"Retry-After": "0"}), broken)
    manifests = overlay()

    with connect(to_kubeconfig(proxy.document)) as through:
        results = bring(through, manifests, namespace=namespace)
        first = len(proxy.requests)
        again = bring(through, manifests, namespace=namespace)
        troubles = through.troubles()

    assert actions(results) == {Action.CREATED: MANY}, [each for each in results if each.message][:3]
    assert in_cluster(connection, namespace) == wanted(manifests)
    assert kinds_in_inventory(connection, namespace) == {"ConfigMap", "Deployment.apps", "Service"}
    assert trouble.longest_row >= 3, "the seed was chosen so that two more tries are not enough"
    assert times(troubles) == {f"it answers HTTP {status}": count for status, count in trouble.refused.items()}
    assert actions(again) == {Action.UNCHANGED: MANY}
    assert {request.method for request in proxy.requests[first:]} == {"GET"}


def from_file(token_file: Path) -> dict[str, Any]:
    return {"tokenFile": str(token_file)}


def from_plugin(token_file: Path) -> dict[str, Any]:
    """An exec plugin that gives the token in the file."""
    credential = {"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential", "status": {"token": "%s"}}
    script = f"printf {shlex.quote(json.dumps(credential))} \"$(cat '{token_file}')\""
    return {"exec": {"apiVersion": credential["apiVersion"], "command": "sh", "args": ["-c", script]}}


class Expiry:
    """Accepts the token in a file only, and replaces it after so many writes, several times over."""

    def __init__(self, token_file: Path, *, every: int) -> None:
        self._file = token_file
        self._every = every
        self._writes = 0
        self._renewing = threading.Lock()
        self.tokens: list[str] = []
        self._renew()

    def __call__(self, request: Request) -> Reply | None:
        with self._renewing:
            if request.headers["authorization"] != f"Bearer {self.tokens[-1]}":
                return Reply(401, {"kind": "Status", "message": "Unauthorized"})
            self._writes += request.method == "PATCH"
            if self._writes == self._every:
                self._renew()
            return None

    def _renew(self) -> None:
        self.tokens.append(secrets.token_hex(16))
        self._file.write_text(self.tokens[-1])
        self._writes = 0


@pytest.mark.parametrize(("user", "count"), [(from_file, MANY), (from_plugin, 100)], ids=["file", "plugin"])
def test_a_token_that_expires_several_times(
    proxy: FaultyProxy,
    to_kubeconfig: Write,
    connection: Connection,
    namespace: str,
    tmp_path: Path,
    *,
    user: Callable[[Path], dict[str, Any]],
    count: int,
) -> None:
    proxy.trouble = expiry = Expiry(tmp_path / "token", every=count // 4)
    proxy.document["users"][0]["user"] = user(tmp_path / "token")
    manifests = overlay(count)

    with connect(to_kubeconfig(proxy.document)) as through:
        results = bring(through, manifests, namespace=namespace)
        troubles = through.troubles()

    assert actions(results) == {Action.CREATED: count}
    assert in_cluster(connection, namespace) == wanted(manifests)
    assert len(expiry.tokens) == 5
    assert times(troubles) == {"its credentials ran out and were read anew": 4}


def test_a_cluster_that_is_cut_off_ends_the_apply_soon_and_nothing_is_forgotten(
    proxy: FaultyProxy, to_kubeconfig: Write, connection: Connection, namespace: str
) -> None:
    told: list[ObjectResult] = []
    refused: list[Request] = []

    def cut(request: Request) -> Reset | None:
        if len(told) < MANY // 3:
            return None
        refused.append(request)
        return Reset()

    proxy.trouble = cut
    with connect(to_kubeconfig(proxy.document), name="staging", patience=IN_A_HURRY) as through:
        with pytest.raises(Temporary, match=r"asking cluster staging at 127.0.0.1:\d+: the connection broke"):
            bring(through, overlay(), namespace=namespace, on_result=told.append)
        troubles = through.troubles()

    assert len(refused) <= THREADS * IN_A_HURRY.attempts, "what was not begun is not tried"
    assert list(times(troubles)) == ["the connection broke (ProtocolError)"]
    assert_nothing_is_forgotten(connection, namespace)


def assert_nothing_is_forgotten(connection: Connection, namespace: str) -> None:
    """The inventory names all kinds that were to come, and all is found when git names a few ConfigMaps only."""
    left = overlay()[: MANY // 10 : 3]
    there = in_cluster(connection, namespace)
    assert MANY // 3 <= len(there) < MANY
    assert kinds_in_inventory(connection, namespace) >= {"ConfigMap", "Deployment.apps", "Service"}

    results = bring(connection, left, namespace=namespace, prune=PrunePolicy(max_percent=100))

    assert actions(results)[Action.DELETED] == len(there - wanted(left))
    assert in_cluster(connection, namespace) == wanted(left)
    assert kinds_in_inventory(connection, namespace) == {"ConfigMap"}


@pytest.fixture(scope="module")
def plane() -> Iterator[ControlPlane]:
    """A control plane of these tests' own, because they kill its API server."""
    if assets() is None:
        pytest.skip("KUBEBUILDER_ASSETS is not set")
    with control_plane() as running:
        yield running


@pytest.fixture
def kubeconfig_of_account(plane: ControlPlane, tmp_path: Path) -> Path:
    """A service account's, whom roles allow what it does, as a deployer's are: an administrator needs no roles."""
    account, roles = secrets.token_hex(4), "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings"
    accounts = "/api/v1/namespaces/default/serviceaccounts"
    binding: JSON = {
        "metadata": {"name": account},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"},
        "subjects": [{"kind": "ServiceAccount", "namespace": "default", "name": account}],
    }
    with connect(settings(plane.kubeconfig)) as administrator:
        assert administrator.request("POST", accounts, body={"metadata": {"name": account}}).status == 201
        assert administrator.request("POST", roles, body=binding).status == 201
        token: Any = administrator.request("POST", f"{accounts}/{account}/token", body={"spec": {}}).body
    document = plane.kubeconfig_content()
    document["users"][0]["user"] = {"token": token["status"]["token"]}
    path = tmp_path / "account"
    path.write_text(yaml.safe_dump(document))
    return path


@pytest.fixture
def account(kubeconfig_of_account: Path) -> Iterator[Connection]:
    with connect(settings(kubeconfig_of_account), name="staging") as made:
        until_allowed(made)
        yield made


@pytest.mark.real_cluster
def test_an_api_server_killed_and_started_again(plane: ControlPlane, account: Connection) -> None:
    """While Deployments are written: an API server of this version ends itself if Services are, as it starts."""
    namespace = new_namespace(account)
    told: list[ObjectResult] = []
    starting: list[threading.Thread] = []

    def kill_once(result: ObjectResult) -> None:
        told.append(result)
        if len(told) == MANY * 3 // 4:
            plane.kill_api_server()
            starting.append(threading.Thread(target=plane.start_api_server))
            starting[0].start()

    manifests = overlay()
    results = bring(account, manifests, namespace=namespace, on_result=kill_once)
    starting[0].join()

    assert actions(results).keys() <= {Action.CREATED, Action.UPDATED}, [each for each in results if each.message][:3]
    assert in_cluster(account, namespace) == wanted(manifests)
    assert kinds_in_inventory(account, namespace) == {"ConfigMap", "Deployment.apps", "Service"}
    troubles = account.troubles()
    assert any("connection" in what for what in times(troubles)), troubles
    assert len(troubles) <= 4, "it is told in few lines"
    assert actions(bring(account, manifests, namespace=namespace)) == {Action.UNCHANGED: MANY}


@pytest.mark.real_cluster
def test_an_api_server_that_stays_away_ends_the_apply_soon_and_nothing_is_forgotten(
    plane: ControlPlane, account: Connection, kubeconfig_of_account: Path
) -> None:
    namespace = new_namespace(account)
    told: list[ObjectResult] = []
    killed: list[float] = []

    def kill_once(result: ObjectResult) -> None:
        told.append(result)
        if len(told) == MANY // 2:
            plane.kill_api_server()
            killed.append(time.monotonic())

    with (
        connect(settings(kubeconfig_of_account), name="staging", patience=IN_A_HURRY) as hurried,
        pytest.raises(Temporary, match=r"asking cluster staging at 127.0.0.1:\d+: it cannot be reached"),
    ):
        bring(hurried, overlay(), namespace=namespace, on_result=kill_once)
    seconds = time.monotonic() - killed[0]
    plane.start_api_server()

    assert seconds < 5
    until_allowed(account)
    assert_nothing_is_forgotten(account, namespace)


def settings(kubeconfig: Path) -> ClusterSettings:
    return ClusterSettings(kubeconfig=FileSecret(file=kubeconfig))


def new_namespace(connection: Connection) -> str:
    name = f"test-{secrets.token_hex(4)}"
    body: JSON = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
    assert connection.request("POST", "/api/v1/namespaces", body=body).status == 201
    return name


def until_allowed(connection: Connection) -> None:
    """Roles take a moment to be known to the API server."""
    deadline = time.monotonic() + 10
    while connection.request("GET", "/api/v1/namespaces").status != 200:
        assert time.monotonic() < deadline
        time.sleep(0.05)
