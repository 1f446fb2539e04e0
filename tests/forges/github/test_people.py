from __future__ import annotations

import pytest

from deployer.forges.connect import Forge
from deployer.model import Permanent, Permission, Stage, Temporary
from tests.forges.github.hub import Hub, github
from tests.forges.recording import Answer, RecordingForge

ALICE = "/repos/acme/shop/collaborators/alice/permission"
MEMBERSHIP = "/orgs/acme/teams/release/memberships/alice"


def answer(permission: object, number: int = 42) -> Answer:
    return Answer(200, {"permission": permission, "role_name": "custom", "user": {"id": number, "login": "alice"}})


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("none", Permission.NONE),
        ("read", Permission.READ),
        ("write", Permission.WRITE),
        ("admin", Permission.ADMIN),
        ("something new", Permission.NONE),
    ],
)
def test_a_persons_permission_is_githubs_word(
    forge: RecordingForge, token: str, word: str, expected: Permission
) -> None:
    forge.answer = answer(word)
    assert github(forge.url).permission("acme/shop", "alice", user_id=42) is expected
    assert forge.asked == [("GET", ALICE)]


def test_permissions_can_be_compared() -> None:
    assert Permission.NONE < Permission.READ < Permission.WRITE < Permission.ADMIN


def test_a_name_that_is_somebody_elses_by_now_may_do_nothing(forge: RecordingForge, token: str) -> None:
    forge.answer = answer("admin", number=43)
    assert github(forge.url).permission("acme/shop", "alice", user_id=42) is Permission.NONE
    assert github(forge.url).permission("acme/shop", "alice") is Permission.ADMIN


def test_a_name_that_nobody_has_may_do_nothing(forge: RecordingForge, token: str) -> None:
    forge.answer = Answer(404, {"message": "alice is not a user"})
    assert github(forge.url).permission("acme/shop", "alice") is Permission.NONE


@pytest.mark.parametrize(
    ("given", "kind"),
    [
        (Answer(404, {"message": "Not Found"}), Permanent),
        (Answer(403, {"message": "Must have push access"}), Permanent),
        (Answer(502), Temporary),
        (Answer(200, {"permission": "admin"}), Temporary),
        (Answer(200, {"permission": ["admin"], "user": {"id": 42}}), Temporary),
        (Answer(200, []), Temporary),
    ],
)
def test_no_answer_is_not_taken_for_a_permission(
    forge: RecordingForge, token: str, given: Answer, kind: type[Permanent | Temporary]
) -> None:
    forge.answer = given
    with pytest.raises(kind, match=r"^asking what alice may do in acme/shop: ") as caught:
        github(forge.url).permission("acme/shop", "alice", user_id=42)
    assert caught.value.stage is Stage.RECEIVE


def test_nothing_in_a_name_leads_to_another_path(forge: RecordingForge, token: str) -> None:
    forge.answer = answer("read")
    github(forge.url).permission("acme/shop", "../../x?y[bot]")
    assert forge.asked == [("GET", "/repos/acme/shop/collaborators/..%2F..%2Fx%3Fy%5Bbot%5D/permission")]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (Answer(200, {"state": "active", "role": "member"}), True),
        (Answer(200, {"state": "pending", "role": "maintainer"}), False),
        (Answer(404, {"message": "Not Found"}), False),
    ],
)
def test_a_member_of_a_team_is_one_that_accepted(
    forge: RecordingForge, token: str, given: Answer, expected: bool
) -> None:
    forge.answer = given
    assert github(forge.url).is_member("acme/release", "alice") is expected
    assert forge.asked == [("GET", MEMBERSHIP)]


@pytest.mark.parametrize("team", ["release", "acme/", "/release", "acme/release/more"])
def test_a_team_that_cannot_be_one_is_refused(forge: RecordingForge, token: str, team: str) -> None:
    with pytest.raises(Permanent, match="written organization/team"):
        github(forge.url).is_member(team, "alice")
    assert forge.requests == []


def test_an_app_asks_the_organization_with_a_token_for_it(hub: Hub, client: Forge) -> None:
    hub.changes["GET", MEMBERSHIP] = Answer(200, {"state": "active"})
    assert client.is_member("acme/release", "alice")
    assert hub.requests[0].route == "/orgs/acme/installation"
    assert hub.requests[1].json == {"permissions": {"members": "read"}}


def test_an_app_that_is_not_installed_there_knows_no_members(hub: Hub, client: Forge) -> None:
    hub.changes["GET", "/orgs/acme/installation"] = Answer(404, {"message": "Not Found"})
    with pytest.raises(Permanent, match="install the GitHub App on the repository or organization"):
        client.is_member("acme/release", "alice")
