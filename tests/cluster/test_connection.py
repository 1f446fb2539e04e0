"""Requests to an API server that is slow, overloaded, picky, someone else, or away."""

from __future__ import annotations

import base64
import secrets
import threading
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from deployer.cluster.connection import Connection, connect
from deployer.model import Permanent, Temporary
from deployer.retries import Budget
from deployer.settings import ClusterSettings
from tests.cluster.authority import Authority
from tests.cluster.conftest import QUICK, kubeconfig_for
from tests.cluster.scripted import Reply, Request, Reset, ScriptedServer
from tests.control_plane import free_port

Write = Callable[..., ClusterSettings]
OK = Reply(body={"fine": True})


def in_turn(*replies: Reply | Reset) -> Callable[[Request], Reply | Reset]:
    """Each reply once, the last one for ever."""
    left = list(replies)
    return lambda _: left.pop(0) if len(left) > 1 else left[0]


@pytest.fixture
def to(to_kubeconfig: Write) -> Callable[..., Connection]:
    """A connection to a scripted server."""

    def make(server: ScriptedServer, *, patience: Budget = QUICK, **user: Any) -> Connection:
        settings = to_kubeconfig(kubeconfig_for(server.url, **user))
        return connect(settings, name="staging", patience=patience)

    return make


@pytest.mark.parametrize("trouble", [Reply(429), Reply(500), Reply(502), Reply(503), Reply(504), Reset()])
def test_what_passes_by_itself_is_tried_again(to: Callable[..., Connection], trouble: Reply | Reset) -> None:
    with ScriptedServer(in_turn(trouble, trouble, OK)) as server, to(server) as connection:
        assert connection.request("PATCH", "/x", body={"a": 1}).body == {"fine": True}

        assert [(each.method, each.body) for each in server.requests] == [("PATCH", b'{"a":1}')] * 3


@pytest.mark.parametrize("trouble", [Reply(429), Reply(503), Reset()])
def test_trouble_that_stays_is_temporary_and_names_the_cluster(
    to: Callable[..., Connection], trouble: Reply | Reset
) -> None:
    with ScriptedServer(lambda _: trouble) as server, to(server) as connection:
        with pytest.raises(Temporary, match=f"cluster staging at {server.url[7:]}: "):
            connection.request("GET", "/x")

        assert len(server.requests) == QUICK.attempts


def test_an_internal_error_that_stays_is_an_answer_with_its_reason(to: Callable[..., Connection]) -> None:
    with ScriptedServer(lambda _: Reply(500, {"message": "webhook failed"})) as server, to(server) as connection:
        response = connection.request("PATCH", "/x", body={})

    assert (response.status, response.body) == (500, {"message": "webhook failed"})


def test_once_an_internal_error_stayed_those_after_it_are_believed_at_once(to: Callable[..., Connection]) -> None:
    with ScriptedServer(lambda _: Reply(500, {"message": "webhook failed"})) as server, to(server) as connection:
        connection.request("PATCH", "/x", body={})
        first = len(server.requests)
        assert connection.request("PATCH", "/y", body={}).status == 500

        assert first > 1
        assert len(server.requests) == first + 1


def test_what_was_waited_out_is_told_in_a_line_for_each_kind_of_it(to: Callable[..., Connection]) -> None:
    busy = Reply(429)
    with ScriptedServer(in_turn(busy, busy, Reply(500), OK)) as server, to(server) as connection:
        connection.request("GET", "/x")

        assert connection.troubles() == ("it answers HTTP 429 (2 times)", "it answers HTTP 500 (1 time)")


NO_SUCH_PATH = Reply(404, b"404 page not found")
NO_SUCH_OBJECT = Reply(404, {"kind": "Status", "message": 'configmaps "x" not found'})


@pytest.mark.parametrize("away", [Reset(), Reply(503)], ids=["reset", "503"])
@pytest.mark.parametrize("ignorant", [Reply(401), Reply(403), NO_SUCH_PATH], ids=["401", "403", "404"])
def test_an_api_server_that_was_just_away_is_asked_again_until_it_knows_its_roles(
    to: Callable[..., Connection], away: Reply | Reset, ignorant: Reply
) -> None:
    with ScriptedServer(in_turn(away, ignorant, OK)) as server, to(server) as connection:
        assert connection.request("GET", "/x").status == 200

        assert len(server.requests) == 3
        assert f"it answers HTTP {ignorant.status} right after it was away (1 time)" in connection.troubles()


def test_after_an_absence_of_almost_all_the_patience_there_is_some_for_what_follows(
    to: Callable[..., Connection],
) -> None:
    absence = [Reset()] * (QUICK.attempts - 1)
    with ScriptedServer(in_turn(*absence, Reply(403), Reply(403), OK)) as server, to(server) as connection:
        assert connection.request("GET", "/x").status == 200


@pytest.mark.parametrize("refusal", [Reply(403), NO_SUCH_PATH], ids=["403", "404"])
def test_a_refusal_that_stays_after_it_was_away_is_an_answer(to: Callable[..., Connection], refusal: Reply) -> None:
    with ScriptedServer(in_turn(Reset(), refusal)) as server, to(server) as connection:
        assert connection.request("GET", "/x").status == refusal.status


@pytest.mark.parametrize(
    ("before", "refusal"),
    [(OK, Reply(403)), (OK, NO_SUCH_PATH), (Reply(429), Reply(403)), (Reset(), NO_SUCH_OBJECT)],
    ids=["403", "404", "403 after 429", "no such object"],
)
def test_other_refusals_are_believed_at_once(
    to: Callable[..., Connection], before: Reply | Reset, refusal: Reply
) -> None:
    with ScriptedServer(in_turn(before, refusal)) as server, to(server) as connection:
        connection.request("GET", "/x")
        assert connection.request("GET", "/x").status == refusal.status

        assert len(server.requests) <= 3


def test_retry_after_is_honoured(to: Callable[..., Connection]) -> None:
    busy = Reply(429, headers={"Retry-After": "1"})
    with ScriptedServer(in_turn(busy, OK)) as server, to(server) as connection:
        started = time.monotonic()
        connection.request("GET", "/x")

    assert time.monotonic() - started >= 1


def test_a_longer_wait_is_left_to_the_caller(to: Callable[..., Connection]) -> None:
    busy = Reply(503, headers={"Retry-After": "3600"})
    with (
        ScriptedServer(lambda _: busy) as server,
        to(server) as connection,
        pytest.raises(Temporary, match="HTTP 503") as raised,
    ):
        connection.request("GET", "/x")

    assert raised.value.retry_after == 3600
    assert len(server.requests) == 1


def test_an_odd_retry_after_is_no_obstacle(to: Callable[..., Connection]) -> None:
    busy = Reply(429, headers={"Retry-After": "soon"})
    with ScriptedServer(in_turn(busy, OK)) as server, to(server) as connection:
        assert connection.request("GET", "/x").status == 200


def test_a_post_is_sent_once(to: Callable[..., Connection]) -> None:
    with ScriptedServer(in_turn(Reset(), OK)) as server, to(server) as connection:
        with pytest.raises(Temporary):
            connection.request("POST", "/x", body={})

        assert len(server.requests) == 1


def test_an_expired_token_is_read_anew(to: Callable[..., Connection], tmp_path: Path) -> None:
    old, new = secrets.token_hex(16), secrets.token_hex(16)
    (tmp_path / "token").write_text(old)

    def answer(request: Request) -> Reply:
        return OK if request.headers["authorization"] == f"Bearer {new}" else Reply(401)

    with ScriptedServer(answer) as server, to(server, tokenFile="token") as connection:
        (tmp_path / "token").write_text(new)
        threads = [threading.Thread(target=connection.request, args=("GET", "/x")) for _ in range(6)]
        [thread.start() for thread in threads]
        [thread.join() for thread in threads]

        assert connection.request("GET", "/x").status == 200
    assert [each.headers["authorization"] for each in server.requests].count(f"Bearer {new}") == 7


def test_a_token_that_stays_refused_is_permanent_and_not_shown(to: Callable[..., Connection]) -> None:
    token = secrets.token_hex(16)
    with ScriptedServer(lambda _: Reply(401)) as server, to(server, token=token) as connection:
        with pytest.raises(Permanent, match="does not accept our credentials; renew the user's token") as raised:
            connection.request("GET", "/x")

        assert len(server.requests) == 2
    assert token not in "".join(traceback.format_exception(raised.value))


def test_a_redirect_is_not_followed(to: Callable[..., Connection]) -> None:
    with ScriptedServer(lambda _: OK) as elsewhere:
        away = Reply(307, headers={"Location": f"{elsewhere.url}/x"})
        with (
            ScriptedServer(lambda _: away) as server,
            to(server, token="t") as connection,
            pytest.raises(Permanent, match="redirects to another address"),
        ):
            connection.request("GET", "/x")

        assert elsewhere.requests == []


def test_nobody_there_is_temporary_and_named(to_kubeconfig: Write) -> None:
    settings = to_kubeconfig(kubeconfig_for(f"https://127.0.0.1:{free_port()}", token="t"))
    with (
        connect(settings, name="staging", patience=QUICK) as connection,
        pytest.raises(Temporary, match=r"cluster staging at 127\.0\.0\.1:\d+: it cannot be reached"),
    ):
        connection.request("GET", "/x")


def test_a_certificate_of_another_authority_is_permanent(to_kubeconfig: Write, tmp_path: Path) -> None:
    other = base64.b64encode(Authority().certificate.encode()).decode()
    with ScriptedServer(lambda _: OK, tls=Authority().server(tmp_path)) as server:
        settings = to_kubeconfig(kubeconfig_for(server.url, cluster={"certificate-authority-data": other}, token="t"))
        with connect(settings) as connection, pytest.raises(Permanent, match=r"not trusted .* certificate-authority"):
            connection.request("GET", "/x")

        assert server.requests == []


def test_a_server_that_wants_a_client_certificate_is_permanent(to_kubeconfig: Write, tmp_path: Path) -> None:
    with ScriptedServer(lambda _: OK, tls=Authority().server(tmp_path, wants_client=True)) as server:
        settings = to_kubeconfig(kubeconfig_for(server.url, cluster={"insecure-skip-tls-verify": True}))
        with connect(settings) as connection, pytest.raises(Permanent, match=r"TLS failed .* client-certificate"):
            connection.request("GET", "/x")


def test_the_name_on_the_certificate_counts(to_kubeconfig: Write, tmp_path: Path) -> None:
    authority = Authority()
    trusted = base64.b64encode(authority.certificate.encode()).decode()
    with ScriptedServer(lambda _: OK, tls=authority.server(tmp_path)) as server:

        def ask(name: str) -> int:
            cluster = {"certificate-authority-data": trusted, "tls-server-name": name}
            with connect(to_kubeconfig(kubeconfig_for(server.url, cluster=cluster))) as connection:
                return connection.request("GET", "/x").status

        assert ask("localhost") == 200
        with pytest.raises(Permanent, match="not trusted"):
            ask("shop.example.com")


def test_plain_http_behind_https_is_permanent(to_kubeconfig: Write) -> None:
    with ScriptedServer(lambda _: OK) as server:
        settings = to_kubeconfig(kubeconfig_for(server.url.replace("http", "https")))
        with connect(settings) as connection, pytest.raises(Permanent, match=r"TLS failed .* check server"):
            connection.request("GET", "/x")


def test_an_answer_that_is_not_json_is_kept_as_its_beginning(to: Callable[..., Connection]) -> None:
    with ScriptedServer(lambda _: Reply(404, b"<html>\xff" * 500)) as server, to(server) as connection:
        response = connection.request("GET", "/x")

    assert isinstance(response.body, str)
    assert response.body.startswith("<html>")
    assert len(response.body) == 200


def test_version_of_something_else_is_permanent(to: Callable[..., Connection]) -> None:
    with (
        ScriptedServer(lambda _: Reply(200, b"hello")) as server,
        to(server) as connection,
        pytest.raises(Permanent, match="no Kubernetes API answers"),
    ):
        connection.version()


def test_version_of_a_cluster(connection: Connection) -> None:
    assert connection.version().startswith("v1.")


def test_query_path_and_prefix_arrive_as_given(to: Callable[..., Connection], to_kubeconfig: Write) -> None:
    with (
        ScriptedServer(lambda _: OK) as server,
        connect(to_kubeconfig(kubeconfig_for(f"{server.url}/k8s/c-1/"))) as connection,
    ):
        connection.request("GET", "/apis/x/roles/system:a", query={"a b": "c&d"})

    assert server.requests[0].target == "/k8s/c-1/apis/x/roles/system:a?a+b=c%26d"


def test_what_was_asked_is_remembered_until_forgotten(to: Callable[..., Connection]) -> None:
    with ScriptedServer(lambda _: OK) as server, to(server) as connection:
        connection.recall("/x")
        connection.recall("/x")
        assert len(server.requests) == 1

        connection.forget("/x")
        connection.recall("/x")
        assert len(server.requests) == 2
