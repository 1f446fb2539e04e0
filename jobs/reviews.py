"""Says on a request, and on its head commit, what a preview has found; the same words are not said twice."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace

from deployer.forges import preview_words as words
from deployer.forges.connect import Forge
from deployer.forges.preview_words import LIMITS, Outcome, Preview
from deployer.forges.report import cut
from deployer.model import Check, CheckState, CommitStatus, Environment, Failure, StatusState
from deployer.preview import Foreseen
from deployer.store.previews import LARGEST_PAGE, Wanted
from jobs.resources import Resources

MOST_QUIET = 20
"""Of environments that merging does not reach: if a branch has more of them, they get no check of their own."""

_STATES = {
    CheckState.IN_PROGRESS: StatusState.PENDING,
    CheckState.FAILURE: StatusState.FAILURE,
    CheckState.SUCCESS: StatusState.SUCCESS,
    CheckState.NEUTRAL: StatusState.SUCCESS,
}
_COMMENT = "comment"


@dataclass(frozen=True, slots=True)
class Reviewed:
    """An environment and what would become of it."""

    environment: Environment
    seen: Foreseen
    waiting: bool
    """A fault that may pass is tried again."""

    @property
    def outcome(self) -> Outcome:
        """What people are told."""
        return replace(self.seen.outcome, waiting=self.waiting and self.seen.fault is not None)


@dataclass(frozen=True, slots=True)
class Reviewer:
    """Says what there is to say of one request."""

    given: Resources
    wanted: Wanted
    base: str

    def tell_all(self, reviewed: Sequence[Reviewed]) -> None:
        """Remember what people are shown, then show it.

        Raises:
            Permanent, Temporary: the forge does not take it.
        """
        self.tell([each.outcome for each in reviewed])
        for each in reviewed:
            if each.seen.digest is not None:
                key = each.environment.key
                self.given.store.previews.promise(key, each.seen.digest, self.wanted.key.number)

    def tell(self, outcomes: Sequence[Outcome]) -> None:
        """Write the page, then a check for each environment and one comment for all of them. Raises as `tell_all`."""
        preview = Preview(self.wanted.head, self.base, self.wanted.branch, tuple(outcomes), self._page)
        content = words.page(preview, limit=LARGEST_PAGE // 4)
        previews = self.given.store.previews
        previews.write_page(previews.page_id(self.wanted.key), self._title, content)
        client = self.given.forge(self.wanted.key.forge)
        if client is None:
            return
        for outcome in outcomes:
            self._check(client, outcome)
        if preview.changes or self.wanted.asked or previews.said(self.wanted.key, _COMMENT):
            self._comment(client, preview)

    def tell_quiet(self, environments: Sequence[Environment]) -> None:
        """Say of environments that merging does not reach them: a check may be required before a merge."""
        client = self.given.forge(self.wanted.key.forge)
        if client is not None and len(environments) <= MOST_QUIET:
            for environment in environments:
                self._check(client, Outcome(environment.key.environment))

    def tell_failure(self, failure: Failure) -> None:
        """Say in the comment why there is no preview."""
        client = self.given.forge(self.wanted.key.forge)
        if client is not None:
            reason = words.code(cut(failure.message, 500))
            self._say(client, f"**There is no preview of {words.code(self.wanted.head[:12])}:** {reason}")

    @property
    def _title(self) -> str:
        return f"{self.wanted.key.repository} #{self.wanted.key.number}"

    @property
    def _page(self) -> str:
        return f"{self.given.settings.url}/previews/{self.given.store.previews.page_id(self.wanted.key)}"

    def _comment(self, client: Forge, preview: Preview) -> None:
        kind = self.given.settings.forges[self.wanted.key.forge].kind
        self._say(client, words.comment(preview, limit=LIMITS[kind]))

    def _say(self, client: Forge, body: str) -> None:
        key, previews = self.wanted.key, self.given.store.previews
        said, edition = previews.said(key, _COMMENT), hashlib.sha256(body.encode()).hexdigest()
        if said and said[1] == edition:
            return
        known = said[0] if said else None
        id_ = client.comment(key.repository, key.number, marker="deployer preview", body=body, known=known)
        previews.say(key, _COMMENT, id_, edition)

    def _check(self, client: Forge, outcome: Outcome) -> None:
        if client.shows_checks:
            self._post_check(client, outcome)
            return
        status = CommitStatus(
            repository=self.wanted.key.repository,
            commit=self.wanted.head,
            context=f"preview/{outcome.environment}",
            state=_STATES[outcome.state],
            description=words.one_line(outcome),
            target_url=self._page,
        )
        posted = self.given.store.posted
        if not posted.is_last(self.wanted.key.forge, status):
            client.post(status)
            posted.remember(self.wanted.key.forge, status)

    def _post_check(self, client: Forge, outcome: Outcome) -> None:
        key, previews, name = self.wanted.key, self.given.store.previews, f"preview/{outcome.environment}"
        check = Check(
            repository=key.repository,
            commit=self.wanted.head,
            name=name,
            state=outcome.state,
            title=words.one_line(outcome),
            summary=words.section(outcome),
            url=self._page,
            external_id=f"preview/{key.number}/{outcome.environment}",
        )
        what = f"{name}@{self.wanted.head}"
        said, edition = previews.said(key, what), hashlib.sha256(repr(check).encode()).hexdigest()
        if said is None or said[1] != edition:
            previews.say(key, what, client.post_check(check, known=said[0] if said else None), edition)
