"""What a commit says on its forge of the drift of an environment, and when that is told.

Nothing is tried again here: what could not be told is told by the next look.
"""

from __future__ import annotations

from dataclasses import dataclass

import structlog

from deployer.forges import drift_words as words
from deployer.forges.report import worth_saying
from deployer.holding import Checked, Step
from deployer.model import CommitStatus, Environment, Failure, Temporary
from deployer.settings import SettingsError
from jobs.resources import Resources

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class DriftReport:
    """The word `drift/<environment>` on the commits of one environment."""

    given: Resources
    environment: Environment

    def tell(self, checked: Checked, commit: str, *, about: str | None) -> bool:
        """Say on the deployed commit how the environment stands to it, unless it says so already.

        A commit from which nothing ever drifted has no such status.

        Args:
            checked: the look.
            commit: the deployed one.
            about: id of the deployment whose page tells more.

        Returns:
            Whether the commit says so now.
        """
        posted, forge = self.given.store.posted, self.environment.key.forge
        page = f"{self.given.settings.url}/deployments/{about}"
        status = words.commit_status(self.environment, commit, checked, page=page)
        times = posted.times(forge, status)
        if posted.is_last(forge, status) or (checked.step is Step.NOTHING and not times):
            return True
        if not worth_saying(status, said=times) or posted.hushed(forge):
            return False
        return self._post(status)

    def leave(self, commit: str) -> None:
        """Have the last word said on a commit, if any was said on it: the environment does not run it any more, or is
        not held to it.

        It is owed like the report of a deployment, because no look will come back to that commit.
        """
        store, key = self.given.store, self.environment.key
        status = words.left(self.environment, commit, page=self.given.settings.url)
        latest = store.deployments.latest(key, commit)
        if latest is not None and store.posted.times(key.forge, status):
            store.reports.owe(latest, due=self.given.clock())
            self.given.queues.report()

    def _post(self, status: CommitStatus) -> bool:
        posted, forge = self.given.store.posted, self.environment.key.forge
        try:
            client = self.given.forge(forge)
            if client is not None:
                client.post(status)
        except (Failure, SettingsError) as failure:
            log.warning("drift", environment=str(self.environment.key), not_posted=str(failure))
            if isinstance(failure, Temporary) and failure.retry_after:
                posted.hush(forge, seconds=failure.retry_after)
            return False
        posted.remember(forge, status)
        return True
