"""A world whose repository is on a sandbox forge of each kind: webhooks come from it, and it shows what it was told."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path

from deployer.model import Delivery, EnvironmentKey, ForgeKind, PullRequestKey, State
from deployer.sandbox.forge import App, SandboxForge
from deployer.sandbox.forge.repositories import PullRequest
from deployer.settings import AppSettings, EnvSecret, FileSecret, ForgeSettings, Settings
from jobs.preview import preview_owed
from jobs.report import report_owed
from jobs.resources import Resources
from tests.examples import STAGING, in_short
from tests.jobs.world import SHOP, World, config_map, plan_all
from tests.sandbox.forge.receiver import Receiver, receiving

ENDS = {"failed": "failure", "canceled": "cancelled"}
WORDS = ENDS | dict.fromkeys(("running", "queued", "in_progress"), "pending")


class Mode(StrEnum):
    """How the deployer meets the forge."""

    APP = "app"
    TOKEN = "token"
    GITLAB = "gitlab"

    @property
    def kind(self) -> ForgeKind:
        return ForgeKind.GITLAB if self is Mode.GITLAB else ForgeKind.GITHUB


MODES = in_short(*Mode)


@dataclass
class Hosted:
    """The world, its forge, and one request after the other."""

    world: World
    forge: SandboxForge
    receiver: Receiver
    mode: Mode
    app: App | None = None

    @property
    def given(self) -> Resources:
        return self.world.given

    def propose(self, text: str, *names: str, forked: bool = False, by: str = "grace") -> PullRequest:
        """A request that has environments (staging) say something else."""
        changes = {f"{name}/config.yaml": config_map(text) for name in names or ("staging",)}
        branch = f"work-{secrets.token_hex(4)}"
        return self.forge.open_pull_request(
            SHOP, f"Say {text}", branch=branch, changes=changes, author=by, forked=forked
        )

    def push(self, number: int, text: str) -> str:
        """Something newer on a request; gives its commit."""
        changes = {"staging/config.yaml": config_map(text)}
        return self.forge.push_to(SHOP, number, changes, message=f"Say {text}", author="grace")

    def rewrite(self, number: int, text: str) -> str:
        """Something else in place of all that a request brought in, as after a rebase; gives its commit."""
        changes = {"staging/config.yaml": config_map(text)}
        return self.forge.rewrite(SHOP, number, changes, message=f"Say {text}", author="grace")

    def hear(self) -> list[EnvironmentKey]:
        """Take what the forge has told meanwhile, and do what it asks for but for deploying."""
        assert self.forge.settle()
        requests, self.receiver.requests[:] = list(self.receiver.requests), []
        for request in requests:
            headers = tuple((name.lower(), value) for name, value in request.headers.items())
            came = Delivery("github", secrets.token_hex(8), headers, request.body, self.world.clock())
            self.given.store.arrivals.take(came, owed=True, what="accepted")
        found = plan_all(self.given)
        self.work()
        return found

    def work(self) -> None:
        """Make the previews and reports that are due."""
        preview_owed(self.given)
        report_owed(self.given)

    def deploy(self, *names: str) -> None:
        for name in names or ("staging", "production"):
            self.world.deploy(EnvironmentKey("github", SHOP, name))
        report_owed(self.given)

    def checks(self, commit: str) -> dict[str, str]:
        """What the forge shows on a commit: by name, in GitHub's words for checks."""
        if self.mode is Mode.APP:
            runs = reversed(self.forge.checks(SHOP, commit))
            found = {run.name: run.conclusion or run.status for run in runs}
        else:
            found = {each.context: each.state for each in reversed(self.forge.statuses(SHOP, commit))}
        return {name: WORDS.get(state, state) for name, state in found.items()}

    def said(self, number: int) -> list[str]:
        """What the deployer wrote on a request, oldest first."""
        us = self.app.login if self.app else "sandbox"
        return [each.body for each in self.forge.comments(SHOP, number) if each.author == us]

    def page(self, number: int) -> tuple[str, str] | None:
        """All of what was said of a request."""
        previews = self.given.store.previews
        return previews.page(previews.page_id(PullRequestKey("github", SHOP, number)))

    def break_kubeconfig(self) -> Path:
        """Let the settings name a kubeconfig that is not there; gives its folder."""
        cluster = self.given.settings.clusters["test"]
        assert isinstance(cluster.kubeconfig, FileSecret)
        folder = cluster.kubeconfig.file.parent
        kubeconfig = FileSecret(file=folder / "gone.kubeconfig")
        self._settle(clusters={"test": cluster.model_copy(update={"kubeconfig": kubeconfig})})
        return folder

    def configure(self, **changes: object) -> None:
        """Change settings of the repository."""
        (repository,) = self.given.settings.repositories
        self._settle(repositories=(repository.model_copy(update=changes),))

    def restrict(self, name: str, **changes: object) -> None:
        """Change settings of an environment."""
        (repository,) = self.given.settings.repositories
        environment = repository.environments[name].model_copy(update=changes)
        self.configure(environments={**repository.environments, name: environment})

    def _settle(self, **changes: object) -> None:
        settings = Settings.model_construct(**(dict(self.given.settings) | changes))
        self.world.given = replace(self.given, settings=settings)


@contextmanager
def hosted(world: World, mode: Mode, *, key_file: Path) -> Iterator[Hosted]:
    """The world moved to a sandbox forge; both environments run what its repository begins with."""
    folder = world.repository.parent.parent / "hosted"
    with SandboxForge(folder) as forge, receiving() as receiver:
        files = _tree(world.repository)
        forge.create_repository(SHOP, files, kind=mode.kind)
        app = forge.create_app(private_key=key_file.read_text()) if mode is Mode.APP else None
        forge.add_webhook(SHOP, receiver.url, secret=secrets.token_hex(8))
        there = Hosted(world, forge, receiver, mode, app)
        there._settle(forges={"github": _settings(forge, mode, app, key_file)})
        world.first = forge.push(SHOP, {"README.md": "A shop\n"}, message="Begin")
        there.hear()
        there.deploy()
        assert world.latest(STAGING, world.first).state is State.SUCCEEDED
        world.clock.move(60)
        yield there


def _settings(forge: SandboxForge, mode: Mode, app: App | None, key_file: Path) -> ForgeSettings:
    secret = EnvSecret(env="TOKEN")
    secret._environ = {"TOKEN": forge.token}
    return ForgeSettings(
        kind=mode.kind,
        api_url=forge.api_url(mode.kind),
        clone_url=forge.clone_url(SHOP).replace(SHOP, "{repository}"),
        token=None if app else secret,
        app=AppSettings(id=app.id, private_key=FileSecret(file=key_file)) if app else None,
    )


def _tree(folder: Path) -> Mapping[str, str]:
    found = (path for path in folder.rglob("*") if path.is_file() and ".git" not in path.parts)
    return {path.relative_to(folder).as_posix(): path.read_text() for path in found}
