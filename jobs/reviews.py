"""Says on a request, and on its head commit, what a preview has found; the same words are not said twice.

A check that says that it is not over is on record until it shows an end, whatever becomes of the request.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

import structlog

from deployer.forges import preview_words as words
from deployer.forges.connect import Forge
from deployer.forges.preview_words import LIMITS, Outcome, Preview
from deployer.forges.quoting import code
from deployer.forges.report import cut, line, worth_saying
from deployer.model import Check, CheckState, CommitStatus, Environment, Failure, Permanent, Stage, StatusState
from deployer.preview import Foreseen
from deployer.store.previews import LARGEST_PAGE, Said, Wanted
from jobs.resources import Resources

log = structlog.get_logger()

MOST_QUIET = 20
"""Of environments that merging does not reach: if a branch has more of them, they get no check of their own."""

_STATES = {
    CheckState.IN_PROGRESS: StatusState.PENDING,
    CheckState.FAILURE: StatusState.FAILURE,
    CheckState.SUCCESS: StatusState.SUCCESS,
    CheckState.NEUTRAL: StatusState.SUCCESS,
    CheckState.CANCELLED: StatusState.CANCELED,
}
_COMMENT = "comment"
_REASON_LENGTH = 500


_EXTERNAL_ID = re.compile(r"preview/(\d{1,9})/.+")


def request_of(external_id: str | None) -> int | None:
    """The number of the request that a check of ours was about, by what we called it; None for any other check."""
    found = _EXTERNAL_ID.fullmatch(external_id or "")
    return int(found[1]) if found else None


def _external_id(number: int, environment: str) -> str:
    return f"preview/{number}/{environment}"


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
    base: str = ""

    def tell_all(self, reviewed: Sequence[Reviewed]) -> None:
        """Show people what was found, and remember what they were shown.

        Raises:
            Permanent, Temporary: the forge does not take the comment.
        """
        self.tell([each.outcome for each in reviewed])
        for each in reviewed:
            if each.seen.digest is not None:
                key = each.environment.key
                self.given.store.previews.promise(key, each.seen.digest, self.wanted.key.number)

    def tell(self, outcomes: Sequence[Outcome], *, conflict: bool = False) -> None:
        """Write the page, then a check for each environment and one comment for all of them. Raises as `tell_all`."""
        told = tuple(map(self.given.discreet.outcome, outcomes))
        preview = Preview(self.wanted.head, self.base, self.wanted.branch, told, self._page, conflict)
        content = words.page(preview, limit=LARGEST_PAGE // 4)
        previews = self.given.store.previews
        previews.write_page(previews.page_id(self.wanted.key), self._title, content)
        client = self._client
        if client is None:
            return
        for outcome in told:
            self._show(client, self._check(outcome))
        if preview.changes or self.wanted.asked or previews.said(self.wanted.key, _COMMENT):
            self._comment(client, preview)

    def tell_quiet(self, environments: Sequence[Environment]) -> None:
        """Say of environments that merging does not reach them: a check may be required before a merge."""
        client = self._client
        if client is not None and len(environments) <= MOST_QUIET:
            for environment in environments:
                self._show(client, self._check(Outcome(environment.key.environment)))

    def tell_failure(self, failure: Failure) -> None:
        """Say in the comment, and in the checks that wait for it, why there is no preview. Raises as `tell_all`."""
        client = self._client
        if client is not None:
            reason = cut(line(self.given.discreet(failure.message)), _REASON_LENGTH)
            self.end(f"there is no preview: {reason}", state=CheckState.FAILURE)
            if failure.stage is not Stage.REPORT and not self.wanted.closed:
                self._say(client, self._no_preview(reason))

    def withdraw(self, reason: str) -> None:
        """Say why no preview is made any more, where there was one before. Raises as `tell_all`."""
        self.end(reason)
        client = self._client
        if client is not None and self.given.store.previews.said(self.wanted.key, _COMMENT):
            self._say(client, self._no_preview(reason))

    def end(self, why: str, *, waiting: Collection[str] = (), state: CheckState = CheckState.CANCELLED) -> None:
        """Give each check that has begun the end that it would not get otherwise. Raises as `tell_all`.

        One that had an end before the forge took it back gets that again where nothing newer is said of its commit.

        Args:
            why: for those on the head; those on other commits are outdated.
            waiting: environments whose check on the head is not over yet.
            state: of those on the head.
        """
        head, closed, client = self.wanted.head, self.wanted.closed, self._client
        begun = self.given.store.previews.unended(self.wanted.key) if client is not None else ()
        for name, commit in begun:
            environment = name.partition("/")[2]
            if client is None or (commit == head and environment in waiting):
                continue
            if (closed or commit != head) and self.repeat(name, commit):
                continue
            outdated = commit != head and not closed
            said = f"outdated: {head[:12]} has taken its place" if outdated else why
            ended = CheckState.CANCELLED if outdated else state
            check = replace(self._blank(environment), commit=commit, state=ended, title=said, summary=code(said))
            self._show(client, check)

    def repeat(self, name: str, commit: str) -> bool:
        """Show again how a check stood that the forge took back, without its diffs; whether it was over.

        Raises as `tell_all`.
        """
        said, client = self.given.store.previews.said(self.wanted.key, f"{name}@{commit}"), self._client
        if client is None or said is None or not said.state or not CheckState(said.state).final:
            return False
        summary = f"{code(said.title)}\n\n[All of it]({self._page})"
        check = self._blank(name.partition("/")[2])
        self._show(
            client, replace(check, commit=commit, state=CheckState(said.state), title=said.title, summary=summary)
        )
        return True

    def _no_preview(self, reason: str) -> str:
        return f"**There is no preview of {code(self.wanted.head[:12])}:** {code(reason)}"

    @property
    def _client(self) -> Forge | None:
        forge = self.wanted.key.forge
        return self.given.forge(forge) if forge in self.given.settings.forges else None

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
        if said and said.edition == edition:
            return
        known = said.id if said else None
        id_ = client.comment(key.repository, key.number, marker="deployer preview", body=body, known=known)
        previews.say(key, _COMMENT, Said(id_, edition))

    def _blank(self, environment: str) -> Check:
        """The check of an environment, of which nothing is known."""
        key = self.wanted.key
        return Check(
            repository=key.repository,
            commit=self.wanted.head,
            name=f"preview/{environment}",
            state=CheckState.IN_PROGRESS,
            title="",
            summary="",
            url=self._page,
            external_id=_external_id(key.number, environment),
        )

    def _check(self, outcome: Outcome) -> Check:
        title, summary = words.one_line(outcome), words.section(outcome)
        blank = self._blank(outcome.environment)
        return replace(blank, state=outcome.state, title=title, summary=summary, annotations=outcome.annotations)

    def _show(self, client: Forge, check: Check) -> None:
        """Show a check unless it says so already. Whatever happens here, one that is not over is on record before.

        If the forge refuses it, the comment is what people have: GitLab takes no status of a fork's commit, because
        that is on none of its branches.
        """
        key, previews = self.wanted.key, self.given.store.previews
        if not check.state.final:
            previews.begin(key, check.name, check.commit)
        try:
            (self._post_check if client.shows_checks else self._post_status)(client, check)
        except Permanent as refusal:
            log.warning("preview", request=str(key), not_shown=check.name, error=refusal.message)
            return
        if check.state.final:
            previews.end(key, check.name, check.commit)

    def _post_status(self, client: Forge, check: Check) -> None:
        status = CommitStatus(
            repository=check.repository,
            commit=check.commit,
            context=check.name,
            state=_STATES[check.state],
            description=check.title,
            target_url=check.url,
        )
        posted, forge = self.given.store.posted, self.wanted.key.forge
        if not posted.is_last(forge, status) and worth_saying(status, said=posted.times(forge, status)):
            client.post(status)
            posted.remember(forge, status)

    def _post_check(self, client: Forge, check: Check) -> None:
        key, previews, what = self.wanted.key, self.given.store.previews, f"{check.name}@{check.commit}"
        said, edition = previews.said(key, what), hashlib.sha256(repr(check).encode()).hexdigest()
        if said is None or said.edition != edition:
            id_ = client.post_check(check, known=said.id if said else None)
            previews.say(key, what, Said(id_, edition, check.state.value, check.title))
