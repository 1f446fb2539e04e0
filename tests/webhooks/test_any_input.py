"""Whatever comes, signed or not: an event or a refusal comes out, and all of its text can be written down."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import fields
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from deployer.model import Event, ForgeKind
from deployer.webhooks.receive import Malformed, Received, Refused, Unverified
from tests.webhooks.deliveries import PAYLOADS, Recorded, recorded
from tests.webhooks.door import let_in, proof, send

TEXTS = st.text(st.characters(codec=None), max_size=30)
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | TEXTS
TOP = ["ref", "after", "action", "repository", "pull_request", "project", "object_attributes", "commits", "changes"]
INNER = ["number", "iid", "state", "head", "sha", "comment", "issue", "note", "body", "user", "check_run", "app"]
KEYS = st.sampled_from([*TOP, *INNER])
WORDS = st.sampled_from(
    ["refs/heads/main", "a" * 40, "0" * 40, "b" * 64, "closed", "merge", "push", "created", "/help"]
)
VALUES = st.recursive(
    SCALARS | WORDS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS | TEXTS, inner, max_size=8),
    max_leaves=30,
)
NAMES = st.sampled_from(sorted(path.stem for path in PAYLOADS.glob("*.json")))
EVENTS = st.sampled_from(
    [
        (ForgeKind.GITHUB, {"X-GitHub-Event": "push"}),
        (ForgeKind.GITHUB, {"X-GitHub-Event": "pull_request"}),
        (ForgeKind.GITHUB, {"X-GitHub-Event": "issue_comment"}),
        (ForgeKind.GITHUB, {"X-GitHub-Event": "check_run"}),
        (ForgeKind.GITHUB, {"X-GitHub-Event": "check_suite"}),
        (ForgeKind.GITLAB, {"X-Gitlab-Event": "Push Hook"}),
        (ForgeKind.GITLAB, {"X-Gitlab-Event": "Merge Request Hook"}),
        (ForgeKind.GITLAB, {"X-Gitlab-Event": "Note Hook"}),
        (ForgeKind.GITLAB, {"X-Gitlab-Event": "System Hook"}),
    ]
)
HEADERS = st.sampled_from(
    ["Content-Type", "X-GitHub-Event", "X-GitHub-Delivery", "X-Gitlab-Event", "Idempotency-Key", "webhook-id"]
)
PROOFS = st.sampled_from(["X-Hub-Signature-256", "X-Gitlab-Token", "webhook-signature", "webhook-timestamp"])
NAMED = frozenset({"repository", "branch", "names", "action", "external_id", "actor"})
"""What is looked up and so is left as it came, without control characters."""

FORM = {"Content-Type": "application/x-www-form-urlencoded"}


@st.composite
def damaged(draw: st.DrawFn) -> Recorded:
    """A recorded delivery with another value somewhere in it."""
    delivery, value = recorded(draw(NAMES)), draw(VALUES)

    def damage(node: dict[str, Any]) -> None:
        key = draw(st.sampled_from(sorted(node)))
        if isinstance(node[key], dict) and node[key] and draw(st.booleans()):
            damage(node[key])
        else:
            node[key] = value

    return delivery.changed(damage)


def outcome(call: Callable[[], Received]) -> Received | Refused:
    """What came out. Any other exception, and any text that cannot be encoded, fails the test."""
    try:
        received = call()
    except Refused as refused:
        str(refused).encode()
        return refused
    received.delivery_id.encode()
    repr(received.kept_headers).encode()
    check(received.event)
    return received


def check(event: Event) -> None:
    """Every value of an event is one that can be written down, looked up or shown."""
    values = {each.name: getattr(event, each.name) for each in fields(event)}
    for name, value in values.items():
        for part in value if isinstance(value, tuple) else (value,):
            assert isinstance(part, str | int | None)
            if isinstance(part, str):
                assert part.encode().decode().isprintable() or name in NAMED
            elif isinstance(part, int):
                assert 0 <= part < 2**63
    for name in {"commit", "head"} & values.keys():
        assert values[name] is None or re.fullmatch("[0-9a-f]{40}|[0-9a-f]{64}", values[name])


@settings(deadline=None)
@given(EVENTS, VALUES)
def test_any_signed_json_is_understood_or_malformed(event: tuple[ForgeKind, dict[str, str]], value: object) -> None:
    kind, headers = event
    body = json.dumps(value).encode()
    headers = {"Content-Type": "application/json", **headers, **proof(kind, body)}
    assert isinstance(outcome(lambda: let_in(kind, headers, body)), Received | Malformed)


@settings(deadline=None)
@given(damaged())
def test_any_damaged_delivery_is_understood_or_malformed(delivery: Recorded) -> None:
    assert isinstance(outcome(lambda: send(delivery)), Received | Malformed)


@settings(deadline=None)
@given(st.sampled_from(ForgeKind), st.binary(max_size=200), st.dictionaries(HEADERS | TEXTS, TEXTS))
@example(ForgeKind.GITHUB, b"payload=%", {**FORM, "X-GitHub-Event": "push"})
@example(ForgeKind.GITHUB, b"payload=%ff", {**FORM, "X-GitHub-Event": "push"})
def test_any_signed_bytes_end_in_an_event_or_a_refusal(kind: ForgeKind, body: bytes, headers: dict[str, str]) -> None:
    outcome(lambda: let_in(kind, {**headers, **proof(kind, body)}, body))


@settings(deadline=None)
@given(st.sampled_from(ForgeKind), st.binary(max_size=200), st.dictionaries(HEADERS | PROOFS | TEXTS, TEXTS))
def test_any_unsigned_request_is_unverified(kind: ForgeKind, body: bytes, headers: dict[str, str]) -> None:
    assert isinstance(outcome(lambda: let_in(kind, headers, body)), Unverified)
