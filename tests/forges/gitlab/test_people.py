from __future__ import annotations

from collections.abc import Mapping

import pytest

from deployer.model import Permanent, Permission, Stage, Temporary
from tests.forges.gitlab.lab import PROJECT, gitlab
from tests.forges.recording import Answer, RecordingForge, Request

ALICE = f"{PROJECT}/members/all/42"
NAME = "group/sub/project"
GROUP = "/api/v4/groups/group%2Fsub"


def member(level: object, **changes: object) -> Answer:
    return Answer(200, {"id": 42, "username": "alice", "state": "active", "access_level": level} | changes)


@pytest.mark.parametrize(
    ("level", "expected"),
    [
        (0, Permission.NONE),
        (5, Permission.NONE),
        (10, Permission.READ),
        (15, Permission.READ),
        (20, Permission.READ),
        (30, Permission.WRITE),
        (40, Permission.ADMIN),
        (50, Permission.ADMIN),
    ],
)
def test_a_persons_permission_is_the_access_level(
    forge: RecordingForge, token: str, level: int, expected: Permission
) -> None:
    forge.answer = member(level)
    assert gitlab(forge.url).permission(NAME, "alice", user_id=42) is expected
    assert forge.asked == [("GET", ALICE)]


@pytest.mark.parametrize("changes", [{"state": "blocked"}, {"state": "awaiting"}, {"membership_state": "awaiting"}])
def test_a_member_who_is_not_active_may_do_nothing(
    forge: RecordingForge, token: str, changes: Mapping[str, object]
) -> None:
    forge.answer = member(50, **changes)
    assert gitlab(forge.url).permission(NAME, "alice", user_id=42) is Permission.NONE


def test_a_name_that_is_somebody_elses_by_now_may_do_nothing(forge: RecordingForge, token: str) -> None:
    forge.answer = member(50, username="bob")
    client = gitlab(forge.url)
    assert client.permission(NAME, "alice", user_id=42) is Permission.NONE
    assert not client.is_member("group/sub", "alice", user_id=42)
    assert client.permission(NAME, "Bob", user_id=42) is Permission.ADMIN


def test_who_is_no_member_may_do_nothing(forge: RecordingForge, token: str) -> None:
    forge.answer = Answer(404, {"message": "404 Not found"})
    assert gitlab(forge.url).permission(NAME, "alice", user_id=42) is Permission.NONE


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        ([{"id": 42, "username": "Alice"}], Permission.WRITE),
        ([{"id": 43, "username": "alice2"}], Permission.NONE),
        ([], Permission.NONE),
    ],
)
def test_a_name_leads_to_its_number(
    forge: RecordingForge, token: str, found: list[object], expected: Permission
) -> None:
    def answer(request: Request) -> Answer:
        return Answer(200, found) if request.route == "/api/v4/users" else member(30)

    forge.answer = answer
    assert gitlab(forge.url).permission(NAME, "alice") is expected
    assert forge.requests[0].query == {"username": "alice"}


@pytest.mark.parametrize(
    ("given", "kind"),
    [
        (Answer(404, {"message": "404 Project Not Found"}), Permanent),
        (Answer(403, {"message": "403 Forbidden"}), Permanent),
        (Answer(500), Temporary),
        (member("50"), Temporary),
        (member(True), Temporary),
        (Answer(200, []), Temporary),
    ],
)
def test_no_answer_is_not_taken_for_a_permission(
    forge: RecordingForge, token: str, given: Answer, kind: type[Permanent | Temporary]
) -> None:
    forge.answer = given
    with pytest.raises(kind, match=r"^asking what alice may do in group/sub/project: ") as caught:
        gitlab(forge.url).permission(NAME, "alice", user_id=42)
    assert caught.value.stage is Stage.RECEIVE


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (member(10), True),
        (member(50), True),
        (member(5), False),
        (member(50, state="blocked"), False),
        (Answer(404, {"message": "404 Not found"}), False),
    ],
)
def test_a_member_of_a_group_is_an_active_one(forge: RecordingForge, token: str, given: Answer, expected: bool) -> None:
    forge.answer = given
    assert gitlab(forge.url).is_member("group/sub", "alice", user_id=42) is expected
    assert forge.asked == [("GET", f"{GROUP}/members/all/42")]


def test_a_group_that_is_not_there_is_a_failure(forge: RecordingForge, token: str) -> None:
    forge.answer = Answer(404, {"message": "404 Group Not Found"})
    with pytest.raises(Permanent, match="Group Not Found"):
        gitlab(forge.url).is_member("group/sub", "alice", user_id=42)


@pytest.mark.parametrize(
    ("us", "bot", "expected"), [(1, False, False), (1, True, True), (1, None, False), (42, False, True)]
)
def test_a_bot_and_the_account_of_our_own_token_are_robots(
    forge: RecordingForge, token: str, us: int, bot: object, expected: bool
) -> None:
    forge.answer = lambda request: Answer(
        200, {"id": us} if request.route == "/api/v4/user" else {"id": 42, "bot": bot}
    )
    assert gitlab(forge.url).is_robot("alice", user_id=42) is expected
