"""Acting as a service account: the cluster's own RBAC is the authority, and says so when it was not asked to be."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from deployer.cluster.connection import Connection, connect
from deployer.model import Action, Permanent
from deployer.settings import ClusterSettings
from tests.cluster.bring import bring
from tests.cluster.conftest import kubeconfig_for
from tests.cluster.objects import config_map, secret
from tests.cluster.scripted import Reply, ScriptedServer

Write = Callable[..., ClusterSettings]
RBAC = "/apis/rbac.authorization.k8s.io/v1/namespaces"


class Tenant:
    """A namespace with two accounts: `hands`, which may do things there, and `ci`, whose credentials we have."""

    def __init__(self, admin: Connection, namespace: str) -> None:
        self.admin = admin
        self.namespace = namespace

    def create(self, path: str, body: dict[str, Any]) -> Any:
        response = self.admin.request("POST", path, body=body)
        assert response.status == 201, response.body
        return response.body

    def token(self, account: str) -> str:
        accounts = f"/api/v1/namespaces/{self.namespace}/serviceaccounts"
        self.create(accounts, {"metadata": {"name": account}})
        answer = self.create(f"{accounts}/{account}/token", {"spec": {"audiences": ["https://tests"]}})
        return str(answer["status"]["token"])

    def grant(self, account: str, **rule: list[str]) -> None:
        name = f"{account}-{secrets.token_hex(3)}"
        role = {"metadata": {"name": name}, "rules": [{"apiGroups": [""], **rule}]}
        self.create(f"{RBAC}/{self.namespace}/roles", role)
        reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": name}
        subject = {"kind": "ServiceAccount", "name": account, "namespace": self.namespace}
        binding = {"metadata": {"name": name}, "roleRef": reference, "subjects": [subject]}
        self.create(f"{RBAC}/{self.namespace}/rolebindings", binding)


@pytest.fixture
def tenant(real_kubeconfig: Any, connection: Connection, namespace: str) -> Tenant:
    return Tenant(connection, namespace)


@pytest.fixture
def kubeconfig(real_kubeconfig: Any) -> Any:
    """Only on a real API server: the sandbox has no RBAC."""
    return real_kubeconfig


@pytest.fixture
def settings(tenant: Tenant, real_kubeconfig: Any, to_kubeconfig: Write) -> ClusterSettings:
    """As `ci`, which itself may do nothing at all."""
    import yaml

    server = yaml.safe_load(real_kubeconfig.read_text())["clusters"][0]["cluster"]["server"]
    return to_kubeconfig(kubeconfig_for(server, cluster={"insecure-skip-tls-verify": True}, token=tenant.token("ci")))


@pytest.fixture
def hands(tenant: Tenant, settings: ClusterSettings) -> Iterator[Connection]:
    tenant.grant("ci", resources=["serviceaccounts"], resourceNames=["hands"], verbs=["impersonate"])
    tenant.grant("hands", resources=["configmaps"], verbs=["get", "list", "create", "patch", "delete"])
    with connect(settings, name="test", service_account=f"{tenant.namespace}/hands") as made:
        wait_until_known(made, tenant)
        yield made


def wait_until_known(hands: Connection, tenant: Tenant) -> None:
    """Until the API server has read the roles."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        try:
            if hands.request("GET", f"/api/v1/namespaces/{tenant.namespace}/configmaps").status == 200:
                return
        except Permanent:
            pass
        time.sleep(0.05)
    raise AssertionError("the roles are not in force")


@pytest.mark.real_cluster
def test_a_deployment_needs_only_the_right_to_be_the_account(hands: Connection, tenant: Tenant) -> None:
    (result,) = bring(hands, [config_map("a", x="1")], namespace=tenant.namespace)

    assert result.action is Action.CREATED


@pytest.mark.real_cluster
def test_what_the_account_may_not_do_is_refused_in_its_name(hands: Connection, tenant: Tenant) -> None:
    with pytest.raises(Permanent, match=r"listing secrets in namespace .* is not allowed"):
        bring(hands, [config_map("a"), secret("b")], namespace=tenant.namespace)

    answer: Any = hands.request("GET", "/api/v1/namespaces/default/configmaps").body
    assert f'User "system:serviceaccount:{tenant.namespace}:hands" cannot list' in answer["message"]


@pytest.mark.real_cluster
def test_the_account_has_the_groups_of_a_service_account(hands: Connection, tenant: Tenant) -> None:
    for group in ("system:serviceaccounts", f"system:serviceaccounts:{tenant.namespace}", "system:authenticated"):
        review = {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "RoleBinding",
            "metadata": {"name": secrets.token_hex(4)},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": group.replace(":", "-")},
            "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "Group", "name": group}],
        }
        rule = {"apiGroups": [""], "resources": ["pods"], "resourceNames": [group.replace(":", "-")], "verbs": ["get"]}
        role = {"metadata": {"name": group.replace(":", "-")}, "rules": [rule]}
        tenant.create(f"{RBAC}/{tenant.namespace}/roles", role)
        tenant.create(f"{RBAC}/{tenant.namespace}/rolebindings", review)
        path = f"/api/v1/namespaces/{tenant.namespace}/pods/{group.replace(':', '-')}"
        deadline = time.monotonic() + 10
        while (status := hands.request("GET", path).status) == 403 and time.monotonic() < deadline:
            time.sleep(0.05)
        assert status == 404, group


@pytest.mark.real_cluster
def test_without_the_grant_the_message_says_what_to_grant_to_whom(tenant: Tenant, settings: ClusterSettings) -> None:
    account = f"{tenant.namespace}/hands"
    with connect(settings, name="staging", service_account=account) as connection:
        for ask in (connection.version, lambda: bring(connection, [config_map("a")], namespace=tenant.namespace)):
            with pytest.raises(Permanent) as refused:
                ask()
            assert refused.value.message.startswith("asking cluster staging at 127.0.0.1:")
            assert refused.value.message.endswith(
                f": user system:serviceaccount:{tenant.namespace}:ci may not act as service account {account}; "
                f"grant it the verb impersonate on serviceaccounts in namespace {tenant.namespace} "
                "(resourceNames: [hands]), or correct service_account."
            )


@pytest.mark.parametrize("account", ["shop/deployer", None])
def test_every_request_says_who_it_is_made_as(to_kubeconfig: Write, account: str | None) -> None:
    seen: list[str | None] = []

    def answer(request: Any) -> Reply:
        seen.append(request.headers.get("impersonate-user"))
        return Reply(status=401) if len(seen) == 1 else Reply(body={"gitVersion": "v1.36.0"})

    with (
        ScriptedServer(answer) as server,
        connect(to_kubeconfig(kubeconfig_for(server.url, token="one")), service_account=account) as connection,
    ):
        connection.version()
        connection.recall("/api/v1")
        connection.request("PATCH", "/x", body={})

    # The first was repeated with credentials read anew.
    assert seen == [account and "system:serviceaccount:shop:deployer"] * 4
