"""The audit as an operator asks for it."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime, timedelta

import pytest

from deployer.store.rows import HEAD, STREAM
from tests.cli.terminal import Terminal
from tests.examples import after, deployment
from tests.jobs.world import SHOP

WAY = ["queued", "running", "changed", "succeeded"]


def whats(terminal: Terminal, *options: str) -> list[str]:
    return [json.loads(line)["what"] for line in terminal("audit", "--json", *options).stdout.splitlines()]


def test_it_says_what_happened_oldest_first(terminal: Terminal) -> None:
    assert terminal("audit").stdout == ""
    terminal.deployed()
    lines = [line.split() for line in terminal("audit").stdout.splitlines()]
    assert [(line[0], line[2]) for line in lines] == list(zip("12345678", WAY * 2, strict=True))
    assert f"commit={terminal.world.first}" in lines[0]
    assert "trigger=manual" in lines[0]


def test_as_json_it_is_one_object_a_line_that_can_be_checked_elsewhere(terminal: Terminal) -> None:
    terminal.deployed()
    rows = [json.loads(line) for line in terminal("audit", "--json").stdout.splitlines()]
    environments = ["staging"] * 4 + ["production"] * 4
    assert [(row["what"], row["environment"]) for row in rows] == list(zip(WAY * 2, environments, strict=True))
    assert all(datetime.fromisoformat(row["at"]).utcoffset() is not None for row in rows)
    head = ""
    for row in rows:  # as docs/operations.md says
        number, chain = row.pop("number"), row.pop("chain")
        digest = hashlib.sha256(json.dumps(row, separators=(",", ":")).encode()).hexdigest()
        assert chain == hashlib.sha1(f"{head} {digest}".encode()).hexdigest()
        head = f"{number}:{chain}"
    assert head == terminal.world.given.store.audit.head


def test_rows_are_found_by_what_they_are_about(terminal: Terminal) -> None:
    terminal.deployed()
    deployed = terminal.newest().id
    terminal.world.given.store.audit.add("skipped", at=after(0), repository="acme/other", objects=["a", "b"])
    assert whats(terminal, "--environment", "production") == WAY
    assert whats(terminal, "--deployment", deployed) == WAY
    assert whats(terminal, "--repository", SHOP) == WAY * 2
    assert whats(terminal, "--repository", "acme/other") == ["skipped"]
    assert whats(terminal, "--repository", "acme/other", "--environment", "production") == []
    assert terminal("audit", "--repository", "acme/other").stdout.endswith(" objects=a,b\n")


@pytest.mark.parametrize("written", ["%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S+00:00"])
def test_rows_are_found_by_their_time(terminal: Terminal, written: str) -> None:
    for number in range(4):
        terminal.world.given.store.audit.add(str(number), at=after(number))
    assert whats(terminal, "--since", after(2).astimezone(UTC).strftime(written)) == ["2", "3"]


def test_a_whole_audit_is_said_with_a_head_to_note(terminal: Terminal) -> None:
    assert terminal("audit", "--verify").stdout == "no row was written yet\n"
    terminal.deployed()
    result = terminal("audit", "--verify")
    head = terminal.world.given.store.audit.head
    said = f"all rows are as they were written, from number 1 on; to note: --head {head}\n"
    assert (result.exit_code, result.stdout) == (0, said)
    terminal.world.given.store.audit.trim(before=datetime.now(UTC) + timedelta(days=1), at=after(0))
    assert "from number 9 on" in terminal("audit", "--verify", "--head", head).stdout


def test_one_that_is_not_says_where_and_fails(terminal: Terminal) -> None:
    terminal.deployed()
    redis = terminal.world.given.redis
    redis.xdel(STREAM, redis.xrange(STREAM)[2][0])
    said = terminal.fails("audit", "--verify")
    assert said == "the audit is not as it was written: row 3 is missing: where it should be stands row 4"


def test_one_that_was_written_anew_is_found_by_the_head(terminal: Terminal) -> None:
    store, redis = terminal.world.given.store, terminal.world.given.redis
    store.deployments.queue(deployment("a1"))
    head = store.audit.head
    redis.delete(STREAM, HEAD)
    store.deployments.queue(deployment("a2"))
    assert terminal("audit", "--verify").exit_code == 0
    assert "row 1 is not the one that was noted" in terminal.fails("audit", "--verify", "--head", head)


def test_rows_that_are_none_are_said(terminal: Terminal) -> None:
    terminal.world.given.redis.xadd(STREAM, {"row": "nonsense"})
    assert terminal.fails("audit").endswith("in Redis; see: deployer audit --verify")


@pytest.mark.parametrize(
    "options",
    [
        ("--head", "1:" + "a" * 40),
        ("--verify", "--head", "12"),
        ("--verify", "--json"),
        ("--verify", "--deployment", "a1"),
        ("--since", "yesterday"),
    ],
    ids=" ".join,
)
def test_what_cannot_be_meant_is_refused(terminal: Terminal, options: tuple[str, ...]) -> None:
    result = terminal("audit", *options)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "Error: " in result.stderr
