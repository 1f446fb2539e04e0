"""Reading credentials: kubeconfigs good and bad, exec plugins, certificates, a pod's own account."""

from __future__ import annotations

import base64
import json
import os
import secrets
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from deployer import process
from deployer.cluster import access
from deployer.cluster.connection import connect
from deployer.model import Permanent, Temporary
from deployer.settings import ClusterSettings, FileSecret
from tests.cluster.authority import Authority
from tests.cluster.conftest import kubeconfig_for
from tests.cluster.scripted import Reply, ScriptedServer

Write = Callable[..., ClusterSettings]
SERVER = "https://127.0.0.1:6443"


def coded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def plugin(folder: Path, script: str, **stanza: Any) -> dict[str, Any]:
    """An exec stanza that runs a Python script."""
    path = folder / f"plugin-{secrets.token_hex(3)}"
    path.write_text(f"#!{sys.executable}\nimport json, os, sys, time\n{script}\n")
    path.chmod(0o700)
    return {"apiVersion": "client.authentication.k8s.io/v1", "command": f"./{path.name}", **stanza}


def answer(**status: str) -> str:
    kind = {"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential", "status": status}
    return f"print({json.dumps(json.dumps(kind))})"


def test_a_token(to_kubeconfig: Write) -> None:
    token = secrets.token_hex(16)

    found = access.load(to_kubeconfig(kubeconfig_for(SERVER, token=token)))

    assert (found.server, found.host, found.authorization) == (SERVER, "127.0.0.1:6443", f"Bearer {token}")
    assert token not in repr(found)


def test_a_token_file_is_read_each_time(to_kubeconfig: Write, tmp_path: Path) -> None:
    settings = to_kubeconfig(kubeconfig_for(SERVER, tokenFile="token"))
    for token in (secrets.token_hex(16), secrets.token_hex(16)):
        (tmp_path / "token").write_text(f"{token}\n")

        assert access.load(settings).authorization == f"Bearer {token}"


def test_the_context_of_the_settings_goes_before_that_of_the_file(to_kubeconfig: Write) -> None:
    document = kubeconfig_for(SERVER, token="one")
    document["contexts"].append({"name": "second", "context": {"cluster": "d", "user": "u"}})
    document["clusters"].append({"name": "d", "cluster": {"server": "https://127.0.0.2/prefix/"}})

    assert access.load(to_kubeconfig(document, context="second")).server == "https://127.0.0.2/prefix"


def test_an_exec_plugin_gives_a_token_and_sees_what_it_may(to_kubeconfig: Write, tmp_path: Path) -> None:
    token = secrets.token_hex(16)
    script = f"open('seen', 'w').write(os.environ['KUBERNETES_EXEC_INFO'] + os.environ['EXTRA'])\n{answer(token=token)}"
    stanza = plugin(tmp_path, script, env=[{"name": "EXTRA", "value": "shop"}], provideClusterInfo=True)

    assert access.load(to_kubeconfig(kubeconfig_for(SERVER, exec=stanza))).authorization == f"Bearer {token}"
    assert SERVER in (tmp_path / "seen").read_text()
    assert (tmp_path / "seen").read_text().endswith("shop")


@pytest.mark.parametrize(
    ("script", "why"),
    [
        ("print('secret', file=sys.stderr); sys.exit(3)", "exit code 3"),
        ("print('secret')", "not what it should be"),
        ("print('[]')", "not what it should be"),
        (answer(), "neither a token nor a client certificate"),
        (answer(clientCertificateData="secret"), "neither a token nor a client certificate"),
    ],
)
def test_an_exec_plugin_that_fails_is_named_and_not_quoted(
    to_kubeconfig: Write, tmp_path: Path, script: str, why: str
) -> None:
    with pytest.raises(Permanent, match=why) as raised:
        access.load(to_kubeconfig(kubeconfig_for(SERVER, exec=plugin(tmp_path, script))))

    assert "secret" not in "".join(traceback.format_exception(raised.value))


def test_an_exec_plugin_that_is_not_there_is_named(to_kubeconfig: Write) -> None:
    stanza = {"apiVersion": "client.authentication.k8s.io/v1", "command": "no-such-plugin"}

    with pytest.raises(Permanent, match="no-such-plugin: could not be started"):
        access.load(to_kubeconfig(kubeconfig_for(SERVER, exec=stanza)))


def test_an_exec_plugin_that_hangs_is_ended(
    to_kubeconfig: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(access, "_PLUGIN_LIMITS", process.Limits(seconds=0.3))

    with pytest.raises(Temporary, match="still running after"):
        access.load(to_kubeconfig(kubeconfig_for(SERVER, exec=plugin(tmp_path, "time.sleep(60)"))))


@pytest.mark.parametrize("way", ["kubeconfig", "exec"])
def test_a_client_certificate_opens_and_its_key_stays_in_no_file(
    to_kubeconfig: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(temporary))
    authority = Authority()
    pair = authority.issue("deployer")
    user: dict[str, Any] = {
        "client-certificate-data": coded(pair.certificate),
        "client-key-data": coded(pair.key),
    }
    if way == "exec":
        script = answer(clientCertificateData=pair.certificate, clientKeyData=pair.key)
        user = {"exec": plugin(tmp_path, script)}
    trust = {"certificate-authority-data": coded(authority.certificate)}

    tls = authority.server(tmp_path, wants_client=True)
    with (
        ScriptedServer(lambda _: Reply(body={"gitVersion": "v1.36.0"}), tls=tls) as server,
        connect(to_kubeconfig(kubeconfig_for(server.url, cluster=trust, **user))) as connection,
    ):
        assert connection.version() == "v1.36.0"

    assert list(temporary.iterdir()) == []


@pytest.mark.parametrize(
    ("document", "why"),
    [
        ([], "it is not a kubeconfig"),
        (None, "it is not a kubeconfig"),
        ({}, "current-context"),
        ({**kubeconfig_for(SERVER), "current-context": "gone"}, "gone"),
        ({**kubeconfig_for(SERVER), "clusters": 5}, "not what it should be"),
        ({**kubeconfig_for(SERVER), "users": 5}, "not what it should be"),
        ({**kubeconfig_for(SERVER), "contexts": [{"name": "main"}]}, "context"),
        (kubeconfig_for("ftp://127.0.0.1"), "no server with an http or https URL"),
        (kubeconfig_for("https://"), "no server with an http or https URL"),
        (kubeconfig_for("http://192.0.2.1", token="SECRET"), "anyone could read the token; use https"),
        (kubeconfig_for(SERVER, token="SECRET\nX: y"), "characters in it that no token has"),
        (kubeconfig_for(SERVER, token="SECRETé"), "characters in it that no token has"),
        (kubeconfig_for(SERVER, tokenFile="gone"), "No such file"),
        (
            kubeconfig_for(SERVER, token="SECRET", **{"as": "root"}),
            "impersonates another one; name that in an .* service_account",
        ),
        (kubeconfig_for(SERVER, **{"auth-provider": {"name": "oidc"}}), "has an auth-provider"),
        (kubeconfig_for(SERVER, **{"client-certificate-data": "SECRET!"}), "not what it should be"),
        (kubeconfig_for(SERVER, **{"client-certificate-data": coded("SECRET")}), "certificate or key in it"),
        (kubeconfig_for(SERVER, cluster={"certificate-authority": "gone.pem"}), "gone.pem"),
        (kubeconfig_for(SERVER, cluster={"certificate-authority-data": coded("SECRET")}), "certificate or key in it"),
    ],
)
def test_a_bad_kubeconfig_is_refused_by_name_and_not_quoted(to_kubeconfig: Write, document: Any, why: str) -> None:
    settings = to_kubeconfig(document)

    with pytest.raises(Permanent, match=why) as raised:
        access.load(settings)

    assert str(settings.kubeconfig and settings.kubeconfig.file) in raised.value.message
    assert "SECRET" not in "".join(traceback.format_exception(raised.value))


def test_what_is_not_yaml_is_not_quoted(tmp_path: Path) -> None:
    token = secrets.token_hex(16)
    path = tmp_path / "kubeconfig"
    path.write_text(f"users: [token: {token}")

    with pytest.raises(Permanent, match="it is not YAML") as raised:
        access.load(ClusterSettings(kubeconfig=FileSecret(file=path)))

    assert token not in "".join(traceback.format_exception(raised.value))


def test_a_kubeconfig_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(Permanent, match=f"kubeconfig {tmp_path}/gone: No such file"):
        access.load(ClusterSettings(kubeconfig=FileSecret(file=tmp_path / "gone")))


def test_in_cluster_outside_a_cluster_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)

    with pytest.raises(Permanent, match="reading in_cluster: Service host/port is not set"):
        access.load(ClusterSettings(in_cluster=True))


def test_in_cluster_uses_the_account_of_the_pod(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "token").write_text("pods-own\n")
    (tmp_path / "ca.crt").write_text(Authority().certificate)
    monkeypatch.setattr("kubernetes.config.incluster_config.SERVICE_TOKEN_FILENAME", str(tmp_path / "token"))
    monkeypatch.setattr("kubernetes.config.incluster_config.SERVICE_CERT_FILENAME", str(tmp_path / "ca.crt"))
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1")
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", "443")

    found = access.load(ClusterSettings(in_cluster=True))

    assert (found.server, found.authorization) == ("https://10.0.0.1:443", "bearer pods-own")


THROUGH = {"HTTPS_PROXY": "http://proxy:1"}


@pytest.mark.parametrize(
    ("document", "surroundings", "proxy"),
    [
        (kubeconfig_for("https://192.0.2.1"), {}, None),
        (kubeconfig_for("https://192.0.2.1"), THROUGH, "http://proxy:1"),
        (kubeconfig_for("https://192.0.2.1"), {**THROUGH, "NO_PROXY": "192.0.2.0/24"}, None),
        (kubeconfig_for("https://127.0.0.1"), THROUGH, None),
        (kubeconfig_for("https://127.0.0.1", cluster={"proxy-url": "http://own:1"}), THROUGH, "http://own:1"),
    ],
)
def test_which_proxy_is_used(
    to_kubeconfig: Write,
    monkeypatch: pytest.MonkeyPatch,
    document: dict[str, Any],
    surroundings: dict[str, str],
    proxy: str | None,
) -> None:
    for name in [name for name in os.environ if name.lower().endswith("_proxy")]:
        monkeypatch.delenv(name)
    for name, value in surroundings.items():
        monkeypatch.setenv(name, value)

    assert access.load(to_kubeconfig(document)).proxy == proxy


def test_a_service_account_is_acted_as_with_the_credentials(to_kubeconfig: Write) -> None:
    token = secrets.token_hex(16)

    found = access.load(to_kubeconfig(kubeconfig_for(SERVER, token=token)), service_account="shop/deployer.v2")

    assert found.headers == {
        "Authorization": f"Bearer {token}",
        "Impersonate-User": "system:serviceaccount:shop:deployer.v2",
    }
    assert token not in repr(found)


def test_without_a_service_account_nobody_is_impersonated(to_kubeconfig: Write) -> None:
    assert list(access.load(to_kubeconfig(kubeconfig_for(SERVER, token="one"))).headers) == ["Authorization"]


REFUSED: Any = {
    "kind": "Status",
    "message": 'serviceaccounts "deployer" is forbidden: User "ci" cannot impersonate resource "serviceaccounts" '
    'in API group "" in the namespace "shop"',
}


def test_a_missing_grant_is_told_with_who_needs_it_on_what(to_kubeconfig: Write) -> None:
    found = access.load(to_kubeconfig(kubeconfig_for(SERVER)), service_account="shop/deployer")

    assert found.missing_grant(REFUSED) == (
        "user ci may not act as service account shop/deployer; grant it the verb impersonate on serviceaccounts in "
        "namespace shop (resourceNames: [deployer]), or correct service_account"
    )


@pytest.mark.parametrize("account", ["shop/deployer", None])
@pytest.mark.parametrize(
    "refusal",
    [
        {"message": 'secrets is forbidden: User "system:serviceaccount:shop:deployer" cannot list resource "secrets"'},
        {"message": 5},
        "Forbidden",
        None,
    ],
)
def test_other_refusals_are_about_no_grant_to_impersonate(
    to_kubeconfig: Write, refusal: Any, account: str | None
) -> None:
    assert access.load(to_kubeconfig(kubeconfig_for(SERVER)), service_account=account).missing_grant(refusal) is None


def test_whoever_impersonates_nobody_misses_no_grant(to_kubeconfig: Write) -> None:
    assert access.load(to_kubeconfig(kubeconfig_for(SERVER))).missing_grant(REFUSED) is None
