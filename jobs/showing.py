"""Brings what one forge shows of a deployment up to date: its word on the commit, and the forge's own record of it.

With a GitHub App the word is a check run, else a commit status: never both, since they would stand there twice.
When and how often this is tried is not decided here.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace

import structlog

from deployer.forges import check_words, drift_words
from deployer.forges import report as words
from deployer.forges.check_words import Account
from deployer.forges.connect import Forge
from deployer.model import Deployment, DeploymentState, Drift, Environment, Permanent, Temporary
from deployer.settings import UnknownEnvironment
from deployer.store.shown import Shown, Standing
from jobs.resources import Resources

log = structlog.get_logger()


def page(given: Resources, deployment: Deployment) -> str:
    """Where people read about a deployment."""
    return f"{given.settings.url}/deployments/{deployment.id}"


@dataclass(slots=True)
class Screen:
    """One forge, as far as it shows deployments. What it shows already is not sent again."""

    given: Resources
    client: Forge
    _busy: Temporary | None = None
    """Why no deployment can be recorded at the moment; the words on commits do not depend on it."""

    def say(self, deployment: Deployment, *, latest: bool) -> None:
        """Show the state of a deployment on its commit.

        Args:
            deployment: which one.
            latest: whether it is the newest of its commit and environment: only that one has the commit status.

        Raises:
            Permanent: the forge refuses it.
            Temporary: the forge is away, or wants us to wait.
        """
        if self.client.shows_checks:
            self._check(deployment)
        elif latest:
            self._status(deployment)

    def record(self, deployment: Deployment) -> None:
        """Have the forge's own record of what runs where follow a deployment, once that has begun.

        A refusal is written into the deployment's log, and the forge is not asked again for this deployment.

        Raises:
            Temporary: the forge is away, wants us to wait, or does not take our token.
        """
        environment, shown = self._environment(deployment), self.given.store.showings.get(deployment)
        if environment is None or shown.refused or not self.given.settings.forges[deployment.key.forge].deployments:
            return
        if not shown.deployment and not self.given.store.deployments.stages(deployment.id):
            return
        if self._busy is not None:
            raise self._busy
        try:
            self._record(deployment, environment, shown)
        except Permanent as refusal:
            self._refused(deployment, refusal)
        except Temporary as fault:
            self._busy = fault
            raise

    def leave(self, deployment: Deployment) -> None:
        """Say on a commit that says how the cluster differed from it that the environment runs another one now, or that
        nobody looks any more.

        Raises:
            Permanent: the forge refuses it.
            Temporary: the forge is away, or wants us to wait.
        """
        forge, posted, environment = deployment.key.forge, self.given.store.posted, self._environment(deployment)
        if environment is None or (environment.drift is not Drift.IGNORE and self._runs(deployment)):
            return
        status = drift_words.left(environment, deployment.commit, page=self.given.settings.url)
        if posted.times(forge, status) and not posted.is_last(forge, status):
            self.client.post(status)
            posted.remember(forge, status)

    def _runs(self, deployment: Deployment) -> bool:
        return self.given.store.environments.get(deployment.key).deployed == deployment.commit

    def _status(self, deployment: Deployment) -> None:
        forge, posted, environment = deployment.key.forge, self.given.store.posted, self._environment(deployment)
        branch = environment.branch if environment else None
        status = words.commit_status(deployment, page=page(self.given, deployment), branch=branch)
        if posted.is_last(forge, status):
            return
        if not words.worth_saying(status, said=posted.times(forge, status)):
            self._log(deployment, f"not posted: the commit has got nearly all statuses {status.context} that it can")
            return
        self.client.post(status)
        posted.remember(forge, status)

    def _check(self, deployment: Deployment) -> None:
        records, showings = self.given.store.deployments, self.given.store.showings
        account = Account(
            deployment,
            records.stages(deployment.id),
            records.objects(deployment.id),
            records.log_lines(deployment.id),
        )
        told, about = self.given.discreet.account(account), page(self.given, deployment)
        check = check_words.check(told, environment=self._environment(deployment), page=about)
        said, shown = hashlib.sha256(repr(check).encode()).hexdigest(), showings.get(deployment)
        if said != shown.check_said:
            known = self.client.post_check(check, known=shown.check or None)
            showings.keep(deployment, check=known, check_said=said)

    def _record(self, deployment: Deployment, environment: Environment, shown: Shown) -> None:
        showings, name = self.given.store.showings, page(self.given, deployment)
        wanted = words.forge_deployment(deployment, environment=environment, page=name)
        if shown.deployment_said and DeploymentState(shown.deployment_said).final:
            wanted = replace(wanted, state=DeploymentState(shown.deployment_said))
        elif wanted.state is DeploymentState.SUCCESS and showings.newer_stands(deployment):
            # Told late. The forge takes whatever it hears last for what runs.
            wanted = replace(wanted, state=DeploymentState.CANCELLED)
        known = shown.deployment
        if wanted.state.value != shown.deployment_said:
            known = self.client.record_deployment(wanted, known=known or None)
            showings.keep(deployment, deployment=known, deployment_said=wanted.state.value)
        if wanted.state is DeploymentState.SUCCESS:
            showings.stands(deployment, Standing(deployment.id, known, deployment.commit, wanted.production))
            self._retire(deployment, environment)

    def _retire(self, deployment: Deployment, environment: Environment) -> None:
        """Have the forge show only the newest as what runs. Those that are no production are retired by themselves."""
        for old in self.given.store.showings.outdated(deployment.key):
            if old.production:
                before = replace(deployment, id=old.id, commit=old.commit, summary="something else runs now")
                wanted = words.forge_deployment(before, environment=environment, page=page(self.given, before))
                retired = replace(wanted, state=DeploymentState.INACTIVE, production=True)
                self.client.record_deployment(retired, known=old.known)

    def _refused(self, deployment: Deployment, refusal: Permanent) -> None:
        self.given.store.showings.keep(deployment, refused=refusal.message)
        self._log(
            deployment, f"{refusal.message}; not tried again for this deployment (see `deployments` of the forge)"
        )
        log.warning("not recorded", environment=str(deployment.key), deployment=deployment.id, error=refusal.message)

    def _environment(self, deployment: Deployment) -> Environment | None:
        """The environment as the settings have it; None when it left them."""
        try:
            return self.given.settings.environment(deployment.key)
        except UnknownEnvironment:
            return None

    def _log(self, deployment: Deployment, line: str) -> None:
        self.given.store.deployments.log(deployment.id, f"report: {line}", at=self.given.clock())
