from __future__ import annotations

from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from redis import Redis

from deployer.holding import Checked, DriftState, Step
from deployer.model import (
    Action,
    Author,
    Deployment,
    DriftKind,
    FieldDrift,
    ObjectDrift,
    ObjectRef,
    ObjectResult,
    PullRequestKey,
    Stage,
    StageRecord,
    State,
)
from deployer.reverts import Memory, Refusal
from deployer.store import Store
from tests.examples import COMMIT, NEWER, NOON, STAGING, after, deployment
from tests.views.test_webhooks import client_for

HOSTILE = """<script>alert(1)</script>"><img src=x onerror='alert(2)'>{{ 7 * 7 }}&amp;"""
PAGE = "/deployments/a1"


class Page(HTMLParser):
    """A page as a browser reads it: its elements with their attributes, its text, and that in words, kept apart."""

    def __init__(self, written: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.words = ""
        self.feed(written)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data
        self.words += f" {' '.join(data.split())}"

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]

    @property
    def refreshes(self) -> bool:
        return any(attributes.get("http-equiv") == "refresh" for attributes in self.all("meta"))


@pytest.fixture
def client(redis_url: str, redis: Redis, tmp_path: Path) -> FlaskClient:
    return client_for(redis_url, tmp_path)


def show(client: FlaskClient) -> Page:
    answer = client.get(PAGE)
    assert answer.status_code == 200
    assert answer.content_type == "text/html; charset=utf-8"
    return Page(answer.text)


def run(store: Store, *, commit: str = COMMIT) -> None:
    """The environment runs what the deployment on the page brought."""
    begun = store.deployments.queue(deployment("a1", commit=commit))
    store.environments.begin(begun)
    store.deployments.finish(begun, State.SUCCEEDED, "done", at=after(1))


def see(store: Store, *found: ObjectDrift, commit: str = COMMIT, **more: Any) -> None:
    state = DriftState.DRIFTED if found else DriftState.IN_SYNC
    looked = {"state": state, "commit": commit, "checked_at": after(90), "objects": found, "since": after(30), **more}
    store.drift.keep(STAGING, Checked(**looked))


def fill(store: Store, begun: Deployment, words: str) -> None:
    """Put `words` wherever a stranger's words can be."""
    store.deployments.queue(replace(begun, title=words, actor=words, summary=words))
    store.deployments.write_stage("a1", StageRecord(Stage.APPLY, NOON, after(1.5), words))
    store.deployments.write_objects("a1", [ObjectResult(ObjectRef("v1", words, words, words), Action.FAILED, words)])
    store.deployments.log("a1", words, at=after(1))


def test_it_shows_what_happened(client: FlaskClient, store: Store) -> None:
    begun = store.deployments.queue(deployment("a1"))
    store.deployments.write_stage("a1", StageRecord(Stage.FETCH, NOON, after(0.25), "commit 1111 of main"))
    store.deployments.write_stage("a1", StageRecord(Stage.RENDER, after(1), None, "deploy/overlays/staging"))
    ref = ObjectRef("apps/v1", "Deployment", "shop", "web")
    store.deployments.write_objects("a1", [ObjectResult(ref, Action.UPDATED, "by hand before")])
    store.deployments.log("a1", "render: deploy/overlays/staging", at=after(1))
    store.deployments.finish(begun, State.SUCCEEDED, "1 object, 1 changed", at=after(2.25))
    text = show(client).text
    for shown in (
        "acme/shop",
        "succeeded",
        "1 object, 1 changed",
        "#7 Raise the replicas",
        begun.commit,
        "merge by ada",
        "2026-11-23 12:00:00 UTC",
        "2.2 s",
        "commit 1111 of main",
        "0.25 s",
        "Deployment.apps shop/web",
        "updated",
        "by hand before",
        "render: deploy/overlays/staging",
    ):
        assert shown in text, shown


def test_what_strangers_wrote_into_the_cluster_is_text_and_nothing_else(client: FlaskClient, store: Store) -> None:
    pages = []
    for words in ("plain", HOSTILE):
        run(store)
        changed = FieldDrift(words, words, words, Author(words, NOON))
        see(store, ObjectDrift(ObjectRef("v1", words, words, words), DriftKind.CHANGED, (changed,), words))
        pages.append(show(client))
        store.deployments._redis.flushall()
    assert pages[0].elements == pages[1].elements
    assert pages[1].text.count(HOSTILE) == 8


def test_a_strangers_words_are_text_and_nothing_else(client: FlaskClient, store: Store) -> None:
    fill(store, deployment("a1"), "plain")
    plain = show(client)
    store.deployments.finish(deployment("a1"), State.FAILED, "plain", at=after(2))
    ended = len(show(client).elements)
    store.deployments._redis.flushall()
    fill(store, deployment("a1"), HOSTILE)
    hostile = show(client)
    assert plain.elements == hostile.elements
    assert hostile.text.count(HOSTILE) == plain.text.count("plain")
    store.deployments.finish(deployment("a1"), State.FAILED, HOSTILE, at=after(2))
    assert len(show(client).elements) == ended


def test_the_address_is_not_echoed(client: FlaskClient) -> None:
    answer = client.get("/deployments/<script>alert(1)")
    assert answer.status_code == 404
    assert "script" not in answer.text


def test_an_unknown_id_is_404(client: FlaskClient, store: Store) -> None:
    store.deployments.queue(deployment("a1"))
    for path in ("/deployments/a2", "/deployments/a1/", "/deployments/", "/deployments/a1:log", "/deployments/A1"):
        assert client.get(path).status_code == 404, path


def test_nothing_may_run_frame_or_keep_it(client: FlaskClient, store: Store) -> None:
    store.deployments.queue(deployment("a1"))
    headers = client.get(PAGE).headers
    policy = dict(each.strip().split(" ", 1) for each in headers["Content-Security-Policy"].split(";"))
    assert policy == {
        "default-src": "'none'",
        "style-src": "'self'",
        "frame-ancestors": "'none'",
        "base-uri": "'none'",
    }
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["Cache-Control"] == "no-store"
    assert "Set-Cookie" not in headers


def test_it_is_drawn_with_what_its_policy_allows_and_that_is_served(client: FlaskClient, store: Store) -> None:
    fill(store, deployment("a1"), "plain")
    page = show(client)
    (sheet,) = (each["href"] for each in page.all("link"))
    assert sheet is not None
    assert sheet.startswith("/")
    assert not sheet.startswith("//")
    style = client.get(sheet)
    assert style.status_code == 200
    assert style.mimetype == "text/css"
    assert b"{" in style.data
    style.close()
    assert {name for name, _ in page.elements}.isdisjoint({"script", "style", "img", "iframe", "form", "object"})
    assert not [name for _, attributes in page.elements for name in attributes if name == "style" or name[:2] == "on"]


@pytest.mark.parametrize("name", ["../pages.py", "..%2fpages.py", "%2e%2e/pages.py", "templates/deployment.html", ""])
def test_nothing_but_what_is_static_is_served(client: FlaskClient, name: str) -> None:
    assert client.get(f"/static/{name}").status_code == 404


@pytest.mark.parametrize("state", list(State))
def test_it_refreshes_itself_until_the_end(client: FlaskClient, store: Store, state: State) -> None:
    store.deployments.advance(store.deployments.queue(deployment("a1")), state, "so it is")
    assert show(client).refreshes is (not state.final)


def test_nothing_about_nobody_is_shown(client: FlaskClient, store: Store) -> None:
    store.deployments.queue(replace(deployment("a1"), title=None, actor=None, delivery=None))
    assert "None" not in show(client).text


def test_of_what_was_superseded_leads_to_what_runs_instead(client: FlaskClient, store: Store) -> None:
    ended = deployment(state=State.SUPERSEDED, finished_at=after(9))
    store.deployments.queue(replace(ended, superseded_by="a2"))
    assert [link["href"] for link in show(client).all("a")] == ["/deployments/a2"]


# The page of a preview


def test_the_page_of_a_preview_shows_all_of_its_text_as_text(client: FlaskClient, store: Store) -> None:
    key = PullRequestKey("github", "acme/shop", 12)
    page_id = store.previews.page_id(key)
    text = f"== staging: 1 to change\n-  text: hello\n+  text: {HOSTILE}\n"
    store.previews.write_page(page_id, f"acme/shop #12 {HOSTILE}", text)
    answer = client.get(f"/previews/{page_id}")
    assert answer.status_code == 200
    assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'")
    assert (answer.headers["Cache-Control"], answer.headers["Referrer-Policy"]) == ("no-store", "no-referrer")
    page = Page(answer.text)
    assert text in page.text
    assert "acme/shop #12" in page.text
    assert page.all("script") == page.all("img") == []


def test_the_page_of_a_preview_is_replaced_and_keeps_its_address(client: FlaskClient, store: Store) -> None:
    page_id = store.previews.page_id(PullRequestKey("github", "acme/shop", 12))
    for text in ("before", "afterwards"):
        store.previews.write_page(page_id, "acme/shop #12", text)
    assert "before" not in (shown := client.get(f"/previews/{page_id}").text)
    assert "afterwards" in shown
    assert store.previews.page_id(PullRequestKey("github", "acme/shop", 12)) == page_id


@pytest.mark.parametrize("name", ["12", "x" * 200, "%2e%2e", "github%2Facme%2Fshop%2312", "a%00b"])
def test_a_preview_that_is_not_there_is_not_found(client: FlaskClient, store: Store, name: str) -> None:
    store.previews.page_id(PullRequestKey("github", "acme/shop", 12))
    assert client.get(f"/previews/{name}").status_code == 404


def test_a_preview_is_nobodys_to_change(client: FlaskClient, store: Store) -> None:
    page_id = store.previews.page_id(PullRequestKey("github", "acme/shop", 12))
    store.previews.write_page(page_id, "acme/shop #12", "text")
    assert client.post(f"/previews/{page_id}").status_code == 405
    assert client.delete(f"/previews/{page_id}").status_code == 405


# Drift


WEB = ObjectRef("apps/v1", "Deployment", "shop", "web")
SCALED = FieldDrift("spec.replicas", "3", "5", Author("kubectl-edit", after(20)))


def test_what_differs_is_shown_with_since_when_and_by_whom(client: FlaskClient, store: Store) -> None:
    run(store)
    extra = ObjectDrift(ObjectRef("v1", "ConfigMap", "shop", "more"), DriftKind.EXTRA, author=Author("helm", None))
    gone = ObjectDrift(ObjectRef("v1", "Service", "shop", "web"), DriftKind.MISSING, note="it is being deleted")
    see(store, ObjectDrift(WEB, DriftKind.CHANGED, (SCALED,)), extra, gone, step=Step.REPORT)
    text = " ".join(show(client).words.split())
    for shown in (
        "Drift drifted",
        "What is done observed, not held",
        "Since 2026-11-23 12:00:30 UTC",
        "Looked at 2026-11-23 12:01:30 UTC",
        "Deployment.apps shop/web spec.replicas 3 → 5 by kubectl-edit at 2026-11-23 12:00:20 UTC",
        "ConfigMap shop/more extra by helm",
        "Service shop/web missing; it is being deleted",
    ):
        assert shown in text, shown


def test_of_a_secret_only_that_it_differs_is_shown(client: FlaskClient, store: Store) -> None:
    run(store)
    hidden = FieldDrift("data.key", HOSTILE, HOSTILE, hidden=True)
    see(store, ObjectDrift(ObjectRef("v1", "Secret", "shop", "key"), DriftKind.CHANGED, (hidden,)), step=Step.REPORT)
    text = show(client).text
    assert "data.key changed (hidden)" in text
    assert HOSTILE not in text


def test_what_cannot_be_put_back_is_shown_with_all_of_the_reason(client: FlaskClient, store: Store) -> None:
    run(store)
    refused = {"Deployment.apps shop/web spec.replicas": Refusal("forbidden; grant it", "a0", 2, after(60))}
    memory = Memory("a1", refused=refused)
    see(store, ObjectDrift(WEB, DriftKind.CHANGED, (SCALED,)), step=Step.FAIL, memory=memory)
    text = " ".join(show(client).words.split())
    assert "What is done cannot be put back" in text
    assert "Reason forbidden; grant it" in text


def test_what_is_not_known_is_shown_with_the_reason(client: FlaskClient, store: Store) -> None:
    run(store)
    see(store, state=DriftState.UNKNOWN, reason="connection refused")
    text = " ".join(show(client).words.split())
    assert "Drift unknown Reason connection refused Since 2026-11-23 12:00:30 UTC" in text


def test_what_is_in_sync_is_shown_as_that(client: FlaskClient, store: Store) -> None:
    run(store)
    see(store)
    assert "Drift in sync Since 2026-11-23 12:00:30 UTC Looked at" in " ".join(show(client).words.split())


@pytest.mark.parametrize("looked_at", [None, NEWER])
def test_of_what_does_not_run_or_was_not_looked_at_no_drift_is_shown(
    client: FlaskClient, store: Store, looked_at: str | None
) -> None:
    run(store)
    if looked_at:
        run(store, commit=looked_at)
        store.deployments.queue(deployment("a1"))
        see(store, ObjectDrift(WEB, DriftKind.CHANGED, (SCALED,)), commit=looked_at)
    assert "Drift" not in show(client).text
