"""GitHub's checks, as far as people act on them: "Re-run", "Re-run all checks" and our own buttons.

GitHub sends these events to the App that made the checks and to nobody else, but a webhook that is set up by hand may
have those of every App. So each event says whose checks it is about.
https://docs.github.com/en/webhooks/webhook-events-and-payloads#check_run
"""

from __future__ import annotations

from deployer.model import RERUN, Event, Ignored, Rerun
from deployer.webhooks.payload import Fields, one_line


def read_check_run(payload: Fields, *, repository: str) -> Event:
    """Somebody asks for one check again, or pressed one of its buttons.

    Raises:
        Malformed: it is not what GitHub documents.
    """
    run = payload.section("check_run")
    match action := payload.name("action"):
        case "rerequested":
            asked = RERUN
        case "requested_action":
            asked = payload.section("requested_action").name("identifier")
        case _:
            return Ignored(f"check run {one_line(action)}: nobody asks for anything")
    return _rerun(payload, run, repository=repository, names=(run.name("name"),), action=asked)


def read_check_suite(payload: Fields, *, repository: str) -> Event:
    """Somebody asks for all of an App's checks of a commit again.

    Raises:
        Malformed: it is not what GitHub documents.
    """
    action, suite = payload.name("action"), payload.section("check_suite")
    if action != "rerequested":
        return Ignored(f"check suite {one_line(action)}: nobody asks for anything")
    return _rerun(payload, suite, repository=repository, names=(), action=RERUN)


def _rerun(payload: Fields, asked: Fields, *, repository: str, names: tuple[str, ...], action: str) -> Rerun:
    sender = payload.section("sender")
    return Rerun(
        repository=repository,
        commit=asked.commit("head_sha"),
        names=names,
        action=action,
        external_id=asked.optional_name("external_id"),
        app_id=asked.section("app").natural("id") if asked.has("app") else None,
        actor=sender.name("login"),
        actor_id=sender.natural("id"),
    )
