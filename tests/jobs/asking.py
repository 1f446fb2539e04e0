"""People who ask for something at a forge: what it tells of them and of their requests, and what it was told."""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from deployer.model import Delivery, EnvironmentKey, ForgeKind
from deployer.settings import Settings
from tests.forges.recording import Answer, Request, created
from tests.jobs.world import SHOP, World, plan_all
from tests.webhooks.deliveries import Recorded, edit, recorded

US = "deployer"
ROBOTS = ("release",)
"""An account that is no person's, of which nothing but the forge tells that."""
PEOPLE = {"stranger": "none", "reader": "read", "ada": "write", "grace": "write", "root": "admin"}
PEOPLE |= dict.fromkeys((US, *ROBOTS), "write")
LEVELS = {"read": 20, "write": 30, "admin": 50}
NUMBERS = {name: number for number, name in enumerate(PEOPLE, 1)}
TEAM = "acme/operators"
MEMBERS = ("grace",)
PRESSED = "github_check_run_requested_action"


@dataclass
class Host:
    """A forge that answers what the deployer asks about people and one request, of either kind."""

    base: str = "main"
    state: str = "open"
    merged_as: str | None = None
    number: int = 15
    down: tuple[str, ...] = ()
    """Of which paths it knows nothing at the moment: parts of them."""
    refuses: tuple[str, ...] = ()
    rotating: bool = False
    """It does not take our token at the moment."""
    posts: list[tuple[str, Any]] = field(default_factory=list)
    rewritten: list[str] = field(default_factory=list)
    """What comments say by now, oldest first."""

    def __call__(self, request: Request) -> Answer:
        route = request.route.replace("%2F", "/")
        if self.rotating:
            return Answer(401, {"message": "Bad credentials"})
        if any(part in route for part in self.down):
            return Answer(503, {"message": "down"})
        if any(part in route for part in self.refuses):
            return Answer(403, {"message": "Forbidden"})
        if request.method == "PATCH":
            self.rewritten.append(request.json.get("body", ""))
            return created(request)
        if request.method == "POST":
            self.posts.append((route, request.json))
            return created(request)
        found = self._github(route) or self._gitlab(route)
        return Answer(200, found) if found else Answer(404, {"message": "404 Not found"})

    def _github(self, route: str) -> Mapping[str, Any] | None:
        if match := re.fullmatch(rf"/repos/{SHOP}/collaborators/(\w+)/permission", route):
            return {"permission": PEOPLE[match[1]], "user": {"id": NUMBERS[match[1]]}}
        if match := re.fullmatch(r"/orgs/acme/teams/operators/memberships/(\w+)", route):
            return {"state": "active"} if match[1] in MEMBERS else None
        if not re.fullmatch(rf"/repos/{SHOP}/pulls/{self.number}", route):
            return None
        merged, repository = self.state == "merged", {"id": 7}
        return {
            "head": {"sha": "e" * 40, "repo": repository},
            "base": {"ref": self.base, "repo": repository},
            "title": "Raise the replicas",
            "state": "open" if self.state == "open" else "closed",
            "merged": merged,
            "merge_commit_sha": self.merged_as,
        }

    def _gitlab(self, route: str) -> Mapping[str, Any] | None:
        names = {str(number): name for name, number in NUMBERS.items()}
        if match := re.fullmatch(rf"/api/v4/(projects/{SHOP}|groups/{TEAM})/members/all/(\d+)", route):
            level = LEVELS.get(PEOPLE[names[match[2]]])
            there = names[match[2]] in MEMBERS if match[1].startswith("groups") else level
            return {"username": names[match[2]], "access_level": level, "state": "active"} if there else None
        if match := re.fullmatch(r"/api/v4/users/(\d+)", route):
            return {"username": names[match[1]], "bot": names[match[1]] in ROBOTS}
        if route == "/api/v4/user":
            return {"id": NUMBERS[US], "username": US}
        if not re.fullmatch(rf"/api/v4/projects/{SHOP}/merge_requests/{self.number}", route):
            return None
        return {
            "sha": "e" * 40,
            "target_branch": self.base,
            "title": "Raise the replicas",
            "state": "opened" if self.state == "open" else self.state,
            "source_project_id": 7,
            "target_project_id": 7,
            "merge_commit_sha": self.merged_as,
        }

    @property
    def signs(self) -> list[str]:
        """The reactions, oldest first."""
        return [body.get("content") or body["name"] for _, body in self.posts if "content" in body or "name" in body]

    @property
    def replies(self) -> list[str]:
        """What was written, oldest first."""
        return [body["body"] for _, body in self.posts if "body" in body]


def host(world: World, *, kind: ForgeKind = ForgeKind.GITHUB) -> Host:
    """Have the world's forge answer what is asked about people, as one of a kind."""
    found = Host()
    world.forge.answer = found
    settings = world.given.settings
    forge = settings.forges["github"].model_copy(update={"kind": kind})
    world.given = replace(world.given, settings=_changed(settings, forges={"github": forge}))
    return found


def restrict(world: World, environment: str, *deployers: str) -> None:
    """Let an environment be deployed by hand by these only."""
    (shop,) = world.given.settings.repositories
    restricted = shop.environments[environment].model_copy(update={"deployers": deployers})
    changed = shop.model_copy(update={"environments": {**shop.environments, environment: restricted}})
    world.given = replace(world.given, settings=_changed(world.given.settings, repositories=(changed,)))


def _changed(settings: Settings, **changes: object) -> Settings:
    return Settings.model_construct(**(dict(settings) | changes))


def comment(text: str, *, by: str = "ada", kind: ForgeKind = ForgeKind.GITHUB) -> Recorded:
    """A recorded comment on request 15 with other words in it, by somebody else."""
    if kind is ForgeKind.GITLAB:
        return _edited(
            recorded("gitlab_note_created"),
            {
                "project.path_with_namespace": SHOP,
                "object_attributes.note": text,
                "object_attributes.author_id": NUMBERS[by],
                "user.id": NUMBERS[by],
                "user.username": by,
                "merge_request.iid": 15,
            },
        )
    return _edited(
        recorded("github_issue_comment_created"),
        {
            "repository.full_name": SHOP,
            "issue.number": 15,
            "comment.body": text,
            "comment.user.login": by,
            "comment.user.id": NUMBERS[by],
        },
    )


def button(name: str, commit: str, *, by: str = "ada", recording: str = PRESSED) -> Recorded:
    """A recorded press of a button, or another way to ask for a check again, by somebody else."""
    section = "check_suite" if "suite" in recording else "check_run"
    changes = {
        "repository.full_name": SHOP,
        f"{section}.head_sha": commit,
        "sender.login": by,
        "sender.id": NUMBERS[by],
    }
    return _edited(recorded(recording), changes | ({} if "suite" in recording else {"check_run.name": name}))


def _edited(delivery: Recorded, changes: Mapping[str, Any]) -> Recorded:
    for path, value in changes.items():
        delivery = edit(delivery, path, value)
    return delivery


def send(world: World, delivery: Recorded, *, identity: str = "") -> str:
    """Record a delivery as the web process does; gives its id."""
    identity = identity or secrets.token_hex(8)
    headers = tuple((name.lower(), value) for name, value in delivery.headers.items())
    came = Delivery("github", identity, headers, delivery.body, world.clock())
    world.given.store.arrivals.take(came, owed=True, what="accepted")
    return identity


def ask(world: World, delivery: Recorded, *, identity: str = "") -> list[EnvironmentKey]:
    """Record a delivery and do what it asks for; which environments have something to deploy."""
    send(world, delivery, identity=identity)
    return plan_all(world.given)


def decisions(world: World) -> list[tuple[str, str, str]]:
    """What was decided about whom, and about which environment, as the audit has it."""
    rows = [row for row in world.given.store.audit.rows() if row.what in ("granted", "refused", "failed")]
    return [(row.what, str(row.fields.get("actor")), str(row.fields.get("environment", ""))) for row in rows]
