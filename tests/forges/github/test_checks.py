from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest

from deployer.forges.connect import Forge
from deployer.model import Annotation, AnnotationLevel, Button, Check, CheckState, Permanent, Temporary
from tests.forges.github.hub import APP, COMMIT, Hub, github
from tests.forges.recording import Answer, RecordingForge, Request

CHECK = Check(
    repository="acme/shop",
    commit=COMMIT,
    name="deploy/staging",
    state=CheckState.IN_PROGRESS,
    title="render",
    summary="12 objects, **3** changed",
    url="https://deployer.example.com/deployments/d1",
    external_id="d1",
    started_at=datetime(2026, 11, 23, 11, 0, 5, tzinfo=timezone(timedelta(hours=1))),
)
DONE = replace(CHECK, state=CheckState.SUCCESS, completed_at=datetime(2026, 11, 23, 10, 1, tzinfo=UTC))
LIST, CREATE, UPDATE = ("GET", f"/commits/{COMMIT}/check-runs"), ("POST", "/check-runs"), ("PATCH", "/check-runs/9")


def run(number: int = 9, external_id: str = "d1", annotations: int = 0) -> dict[str, object]:
    output = {"annotations_count": annotations}
    return {"id": number, "external_id": external_id, "app": {"id": APP}, "output": output}


def on_lines(count: int) -> tuple[Annotation, ...]:
    return tuple(Annotation("deploy/base/web.yaml", line, f"unknown field {line}") for line in range(1, count + 1))


@pytest.fixture(autouse=True)
def runs(hub: Hub) -> None:
    """A GitHub without check runs, which calls the first one 9."""
    place = "/repos/acme/shop"
    hub.changes |= {
        ("GET", f"{place}{LIST[1]}"): Answer(200, {"total_count": 0, "check_runs": []}),
        ("POST", f"{place}/check-runs"): Answer(201, run()),
        ("PATCH", f"{place}/check-runs/9"): Answer(200, run()),
    }


def there(hub: Hub, *existing: dict[str, object]) -> None:
    hub.changes["GET", f"/repos/acme/shop{LIST[1]}"] = Answer(200, {"check_runs": list(existing)})


def test_a_new_check_is_looked_for_and_then_made(hub: Hub, client: Forge) -> None:
    assert client.shows_checks
    assert client.post_check(CHECK, known=None) == "9"
    assert hub.done == [LIST, CREATE]
    asked = {"check_name": "deploy/staging", "filter": "all", "per_page": "100", "app_id": str(APP)}
    assert hub.work[0].query == asked
    assert hub.work[1].json == {
        "name": "deploy/staging",
        "head_sha": COMMIT,
        "details_url": "https://deployer.example.com/deployments/d1",
        "external_id": "d1",
        "status": "in_progress",
        "started_at": "2026-11-23T10:00:05Z",
        "output": {"title": "render", "summary": "12 objects, **3** changed"},
        "actions": [],
    }


def test_a_known_check_is_updated_with_one_request(hub: Hub, client: Forge) -> None:
    assert client.post_check(DONE, known="9") == "9"
    assert hub.done == [UPDATE]
    sent = hub.work[0].json
    assert (sent["status"], sent["conclusion"], sent["completed_at"]) == (
        "completed",
        "success",
        "2026-11-23T10:01:00Z",
    )
    assert "head_sha" not in sent


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        (CheckState.QUEUED, ("queued", None)),
        (CheckState.IN_PROGRESS, ("in_progress", None)),
        (CheckState.SUCCESS, ("completed", "success")),
        (CheckState.FAILURE, ("completed", "failure")),
        (CheckState.CANCELLED, ("completed", "cancelled")),
        (CheckState.NEUTRAL, ("completed", "neutral")),
        (CheckState.ACTION_REQUIRED, ("completed", "action_required")),
    ],
)
def test_every_state_has_words_that_github_knows(
    hub: Hub, client: Forge, state: CheckState, expected: tuple[str, str | None]
) -> None:
    client.post_check(replace(DONE, state=state), known="9")
    sent = hub.work[0].json
    assert (sent["status"], sent.get("conclusion")) == expected
    assert ("completed_at" in sent) is state.final


def test_a_run_whose_answer_was_lost_is_found_by_our_id(hub: Hub, client: Forge) -> None:
    there(hub, run(7, "other"), run(9), run(8))
    assert client.post_check(CHECK, known=None) == "9"
    assert hub.done == [LIST, UPDATE]


def test_a_run_of_another_deployment_is_left_alone(hub: Hub, client: Forge) -> None:
    there(hub, run(8, "d0"), {"id": 7, "external_id": None})
    assert client.post_check(CHECK, known=None) == "9"
    assert hub.done == [LIST, CREATE]


def test_a_run_of_another_app_is_left_alone(hub: Hub, client: Forge) -> None:
    there(hub, {**run(8), "app": {"id": APP + 1}}, {**run(7), "app": None})
    assert client.post_check(CHECK, known=None) == "9"
    assert hub.done == [LIST, CREATE]


def test_a_run_that_github_does_not_know_any_more_is_made_anew(hub: Hub, client: Forge) -> None:
    assert client.post_check(replace(CHECK, annotations=on_lines(1)), known="3") == "9"
    assert client.post_check(CHECK, known="3") == "9"
    assert hub.done == [("GET", "/check-runs/3"), CREATE, ("PATCH", "/check-runs/3"), CREATE]


@pytest.mark.parametrize(("count", "requests"), [(1, [1]), (50, [50]), (51, [50, 1]), (120, [50, 50, 20])])
def test_fifty_annotations_go_into_a_request(hub: Hub, client: Forge, count: int, requests: list[int]) -> None:
    client.post_check(replace(DONE, annotations=on_lines(count)), known=None)
    sent = [request.json["output"]["annotations"] for request in hub.work[1:]]
    assert [len(each) for each in sent] == requests
    assert [each["start_line"] for batch in sent for each in batch] == list(range(1, count + 1))
    assert hub.done[1:] == [CREATE, *[UPDATE] * (len(requests) - 1)]


def test_an_annotation_is_on_one_line_with_its_level(hub: Hub, client: Forge) -> None:
    warned = Annotation("deploy/base/web.yaml", 7, "é" * 20_000, AnnotationLevel.WARNING)
    client.post_check(replace(DONE, annotations=(warned,)), known=None)
    (sent,) = hub.work[1].json["output"]["annotations"]
    assert sent | {"message": ""} == {
        "path": "deploy/base/web.yaml",
        "start_line": 7,
        "end_line": 7,
        "annotation_level": "warning",
        "message": "",
    }
    assert len(sent["message"].encode()) < 64 * 1024


@pytest.mark.parametrize("known", ["9", None])
def test_annotations_that_are_there_are_not_sent_twice(hub: Hub, client: Forge, known: str | None) -> None:
    hub.changes["GET", "/repos/acme/shop/check-runs/9"] = Answer(200, run(annotations=50))
    there(hub, run(annotations=50))
    client.post_check(replace(DONE, annotations=on_lines(101)), known=known)
    sent = [request.json["output"].get("annotations", []) for request in hub.work[1:]]
    assert [[each["start_line"] for each in batch] for batch in sent] == [list(range(51, 101)), [101]]


def test_a_summary_is_cut_by_whole_lines_and_says_where_the_rest_is(hub: Hub, client: Forge) -> None:
    client.post_check(replace(CHECK, summary="# Changes\n```diff\n" + "+ line\n" * 20_000), known="9")
    summary = hub.work[0].json["output"]["summary"]
    assert 65_000 < len(summary) <= 65_535
    assert summary.endswith(f"+ line\n```\n\nThere is more than fits in here: {CHECK.url}")


def test_a_summary_is_cut_by_what_github_counts_which_is_bytes(hub: Hub, client: Forge) -> None:
    client.post_check(replace(CHECK, summary="# Changes\n```diff\n" + "+ größer → 🚀\n" * 4_000), known="9")
    summary = hub.work[0].json["output"]["summary"]
    assert 65_000 < len(summary.encode()) <= 65_535
    assert summary.endswith(f"+ größer → 🚀\n```\n\nThere is more than fits in here: {CHECK.url}")


def test_what_people_read_is_never_empty_and_the_title_is_one_line(hub: Hub, client: Forge) -> None:
    client.post_check(replace(CHECK, title="two\nlines \x1b[1mbold", summary=""), known="9")
    client.post_check(replace(CHECK, title="", summary=""), known="9")
    outputs = [request.json["output"] for request in hub.work]
    assert outputs[0] == {"title": "two lines bold", "summary": "two lines bold"}
    assert outputs[1] == {"title": "in progress", "summary": "in progress"}


def test_a_button_is_cut_to_what_fits_on_it(hub: Hub, client: Forge) -> None:
    button = Button("Deploy this commit again", "Deploys this commit to staging once more, now", "redeploy")
    client.post_check(replace(DONE, actions=(button,)), known="9")
    (sent,) = hub.work[0].json["actions"]
    assert sent["identifier"] == "redeploy"
    assert len(sent["label"]) <= 20
    assert len(sent["description"]) <= 40


@pytest.mark.parametrize("identifiers", [["r" * 21], [""], ["a", "b", "c", "d"]])
def test_buttons_that_github_would_refuse_are_refused_before(hub: Hub, client: Forge, identifiers: list[str]) -> None:
    buttons = tuple(Button("Redeploy", "Deploy again", each) for each in identifiers)
    with pytest.raises(Permanent, match=r"^posting the check deploy/staging on acme/shop@4f4f4f4f4f4f: .*button"):
        client.post_check(replace(DONE, actions=buttons), known="9")
    assert hub.requests == []


def test_the_app_asks_for_a_token_that_can_write_checks_and_nothing_else(hub: Hub, client: Forge) -> None:
    client.post_check(CHECK, known="9")
    tokens = [request.json for request in hub.requests if request.route.endswith("/access_tokens")]
    assert tokens == [{"permissions": {"checks": "write"}}]


def test_a_token_cannot_show_checks(forge: RecordingForge, token: str) -> None:
    client = github(forge.url)
    assert not client.shows_checks
    with pytest.raises(Permanent, match="only from a GitHub App"):
        client.post_check(CHECK, known=None)
    assert forge.requests == []


def test_a_first_request_that_fails_is_not_taken_for_a_run_that_is_gone(hub: Hub, client: Forge) -> None:
    hub.changes["PATCH", "/repos/acme/shop/check-runs/9"] = Answer(503, {}, {"Retry-After": "30"})
    with pytest.raises(Temporary) as caught:
        client.post_check(CHECK, known="9")
    assert caught.value.retry_after == 30
    assert hub.done == [UPDATE]


def test_a_commit_that_is_not_there_is_a_failure(hub: Hub, client: Forge) -> None:
    del hub.changes["GET", f"/repos/acme/shop{LIST[1]}"]
    with pytest.raises(Permanent, match="404"):
        client.post_check(CHECK, known=None)


def test_an_interrupted_batch_goes_on_where_it_stopped(hub: Hub, client: Forge) -> None:
    """The first batch arrives, the second does not; the next attempt sends only what is missing."""
    shown: list[int] = []

    def receive(request: Request) -> Answer:
        lines = [each["start_line"] for each in request.json["output"].get("annotations", [])]
        if 51 in lines and not broken:
            broken.append(True)
            return Answer(502)
        shown.extend(lines)
        return Answer(201, run(annotations=len(shown)))

    broken: list[bool] = []
    hub.changes["POST", "/repos/acme/shop/check-runs"] = receive
    hub.changes["PATCH", "/repos/acme/shop/check-runs/9"] = receive
    check = replace(DONE, annotations=on_lines(60))
    with pytest.raises(Temporary):
        client.post_check(check, known=None)
    there(hub, run(annotations=len(shown)))
    client.post_check(check, known=None)
    assert shown == list(range(1, 61))
