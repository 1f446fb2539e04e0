"""Who may do what, as the deployer's own clients learn it."""

from __future__ import annotations

import pytest

from deployer.model import ForgeKind, Permanent, Permission
from deployer.sandbox.forge import App, Role, SandboxForge
from deployer.sandbox.forge.people import number_of
from tests.sandbox.forge.clients import as_app, as_user, ask, client
from tests.sandbox.forge.conftest import SHOP, TOOLS

BOTH = pytest.mark.parametrize(("kind", "name"), [(ForgeKind.GITHUB, SHOP), (ForgeKind.GITLAB, TOOLS)])
ROLES = {"ada": Permission.ADMIN, "bob": Permission.WRITE, "grace": Permission.WRITE, "mallory": Permission.NONE}


@BOTH
def test_everybody_has_a_role(quiet_forge: SandboxForge, kind: ForgeKind, name: str) -> None:
    forge = client(quiet_forge, kind)
    assert {login: forge.permission(name, login) for login in ROLES} == ROLES
    assert {login: forge.permission(name, login, user_id=number_of(login)) for login in ROLES} == ROLES
    assert forge.permission(name, "nobody") is Permission.NONE


def test_a_name_that_is_somebody_elses_by_now_may_do_nothing(quiet_forge: SandboxForge) -> None:
    assert as_user(quiet_forge).permission(SHOP, "ada", user_id=4711) is Permission.NONE


@BOTH
def test_a_role_can_be_given_and_taken(forge: SandboxForge, kind: ForgeKind, name: str) -> None:
    asked = client(forge, kind)
    forge.add_person("linus", Role.READ)
    assert asked.permission(name, "linus") is Permission.READ
    forge.add_person("ada", Role.NONE)
    assert asked.permission(name, "ada") is Permission.NONE


@BOTH
def test_teams_have_members(forge: SandboxForge, kind: ForgeKind, name: str) -> None:
    asked = client(forge, kind)
    assert asked.is_member("acme/operators", "ada")
    assert not asked.is_member("acme/operators", "bob")
    assert not asked.is_member("acme/operators", "nobody")
    forge.add_person("bob", Role.WRITE, teams=["acme/operators", "acme/platform/oncall"])
    assert asked.is_member("acme/operators", "bob")


def test_an_app_may_ask_too(forge: SandboxForge, app: App) -> None:
    github = as_app(forge, app)
    assert github.permission(SHOP, "bob") is Permission.WRITE
    assert github.is_member("acme/operators", "ada")


def test_a_group_of_a_group_is_one(forge: SandboxForge) -> None:
    forge.add_person("bob", Role.WRITE, teams=["acme/platform/oncall"])
    gitlab = client(forge, ForgeKind.GITLAB)
    assert gitlab.is_member("acme/platform/oncall", "bob")
    assert not gitlab.is_member("acme/platform", "bob")
    with pytest.raises(Permanent, match="Group Not Found"):
        gitlab.is_member("acme/none", "ada")


def test_gitlab_finds_users_by_name(quiet_forge: SandboxForge) -> None:
    (found,) = ask(quiet_forge, "GET", "/api/v4/users?username=ADA").json()
    assert (found["username"], found["id"]) == ("ada", number_of("ada"))
    assert ask(quiet_forge, "GET", "/api/v4/users?username=nobody").json() == []
