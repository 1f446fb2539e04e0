"""Hears of pull and merge requests, and writes down what is owed to each: a preview, or the end of what one has begun.

For whoever hears of requests:

    ask(given, forge, event)                          a `PullRequestEvent` came, of any action
    ask_for(given, forge, repository, number, environments=("staging",))      a person wants one now, as by `/diff`
    merged(given, key, commit)                        it is over

All of these only write down and ring; an `Ignored` that they return says why there will be no preview.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from deployer.model import Environment, Ignored, PullRequestAction, PullRequestEvent, PullRequestKey
from deployer.store.previews import Wanted
from jobs.resources import Resources


def ask(given: Resources, forge: str, event: PullRequestEvent, *, environments: Sequence[str] = ()) -> Ignored | None:
    """Have a request previewed, or forgotten when it was closed.

    Args:
        given: resources.
        forge: name of the forge that told of it.
        event: what it told.
        environments: to be answered for by name, also when merging does not reach them.

    Returns:
        None, or why there will be no preview.

    Raises:
        Permanent, Temporary: as `ask_for`, where the forge has to be asked whether the event came late.
        SettingsError: likewise.
    """
    key = PullRequestKey(forge, event.repository, event.number)
    if event.action is PullRequestAction.CLOSED:
        return None if close(given, key) else Ignored("closed, and never previewed")
    known = given.store.previews.get(key)
    if known is not None and (known.closed or known.branch != event.branch) and given.forge(forge) is not None:
        return ask_for(given, forge, event.repository, event.number, environments=environments)
    return _ask(given, key, event, environments)


def _ask(given: Resources, key: PullRequestKey, event: PullRequestEvent, environments: Sequence[str]) -> Ignored | None:
    wanted = Wanted(key, event.branch, event.head, event.from_fork, closed=False, asked=tuple(environments))
    found, known = previewed(given, wanted), given.store.previews.get(key)
    if not isinstance(found, Ignored) or (known is not None and not known.closed):
        owe(given, wanted)  # also of one that was previewed before: on another branch, or by other settings
    return found if isinstance(found, Ignored) else None


def ask_for(
    given: Resources, forge: str, repository: str, number: int, *, environments: Sequence[str] = ()
) -> Ignored | None:
    """As `ask`, for a request of which only the number is known: the forge is asked how it stands.

    Raises:
        Permanent, Temporary: as `Forge.pull_request`.
        SettingsError: as `connect`.
    """
    client = given.forge(forge)
    if client is None:
        return Ignored("the settings give us no way to ask the forge")
    now = client.pull_request(repository, number)
    if not now.open:
        return Ignored("it is not open any more")
    event = PullRequestEvent(
        repository, number, now.base, now.head, PullRequestAction.UPDATED, now.from_fork, draft=False, title=now.title
    )
    return _ask(given, PullRequestKey(forge, repository, number), event, environments)


def close(given: Resources, key: PullRequestKey) -> bool:
    """Have what was begun on a request brought to its end, because it is over; False when we know nothing of it."""
    known = given.store.previews.get(key)
    if known is not None and not known.closed:
        owe(given, replace(known, closed=True, asked=()))
    return known is not None


def merged(given: Resources, key: PullRequestKey, commit: str) -> None:
    """A request is over because it was merged as a commit, whose deployments may say what was shown on it."""
    if close(given, key):
        given.store.previews.merged(key, commit)


def previewed(given: Resources, wanted: Wanted) -> tuple[Environment, ...] | Ignored:
    """The environments that may be previewed on a request, or why there are none."""
    key = wanted.key
    entries = [
        entry for entry in given.settings.repositories
        if (entry.forge, entry.name, entry.branch) == (key.forge, key.repository, wanted.branch) and entry.previews
    ]  # fmt: skip
    if not entries:
        return Ignored(f"branch {wanted.branch} of {key.repository} has no previews")
    if wanted.from_fork:
        entries = [entry for entry in entries if entry.preview_forks]
    if not entries:
        return Ignored("comes from a fork, which is not rendered here (preview_forks)")
    return tuple(entry.environment(name) for entry in entries for name in entry.environments)


def owe(given: Resources, wanted: Wanted) -> None:
    """Have a request looked at anew: previewed, or brought to its end when it is closed."""
    given.store.previews.ask(wanted, due=given.clock())
    given.queues.preview()
