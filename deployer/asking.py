"""What people may ask for in comments and by buttons, what follows from it, and the words of the answer.

Pure: asks nobody. What a person may do is found out elsewhere, at the forge. No answer begins with a command, so the
deployer never obeys itself.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from deployer.model import (
    RERUN,
    Command,
    CommandName,
    Environment,
    Ignored,
    Merge,
    PullRequest,
    PullRequestEvent,
    Reaction,
    Rerun,
)

REDEPLOY = "redeploy"
"""Identifier of the button that deploys once more; the same as "Re-run"."""

IN_DOUBT = "The forge did not say what is needed for this, so nothing was done. The deployer's log says why."

GIVEN_UP = "Something went wrong here, so this could not be finished. The deployer's log and `deployer audit` say why."

DEPLOYED, PREVIEWED = "deploy", "preview"
"""What the names of our checks begin with, before a slash and the environment."""


class Denied(Exception):  # noqa: N818 - reads as what happened
    """What is asked for is not done. The message is what the person reads."""

    def __init__(self, message: str, reaction: Reaction = Reaction.CONFUSED) -> None:
        super().__init__(message)
        self.reaction = reaction


@dataclass(frozen=True, slots=True)
class Answer:
    """What a person gets for a comment: a sign on it and, where that is not enough, words."""

    reaction: Reaction
    reply: str | None = None


def about(event: Merge | PullRequestEvent | Rerun | Command) -> str:
    """What an event that concerns us says, in a few words."""
    match event:
        case Merge():
            return f"{event.commit[:12]} is now the tip of {event.branch}"
        case PullRequestEvent():
            return f"request {event.number} was {event.action}"
        case Rerun():
            return f"{event.actor} asks for {wish(event)}"
        case Command():
            return f"{event.actor} asks for {wish(event)} on request {event.number}"


def wish(event: Rerun | Command) -> str:
    """What is asked for, as in `/deploy staging` or `deploy/staging of 0123456789ab again`."""
    if isinstance(event, Command):
        return " ".join((f"/{event.name}", *event.arguments))
    return f"{', '.join(event.names) or 'all checks'} of {event.commit[:12]} again"


def ours(rerun: Rerun, environments: Sequence[Environment], *, app_id: int | None) -> tuple[Environment, ...] | Ignored:
    """The environments of a repository whose checks are asked for again, or why none is.

    Args:
        rerun: what is asked for.
        environments: all of the repository.
        app_id: our GitHub App, if we are one. No other check is ours, whatever its name is.
    """
    if app_id is not None and rerun.app_id != app_id:
        return Ignored("a check of another App")
    if rerun.action not in (RERUN, REDEPLOY):
        return Ignored("a button that is none of ours")
    named = tuple(each for each in environments if asked(rerun, DEPLOYED, each) or asked(rerun, PREVIEWED, each))
    return named or Ignored(f"no check of ours: {', '.join(rerun.names)}")


def asked(rerun: Rerun, what: str, environment: Environment) -> bool:
    """Whether one check of an environment (`DEPLOYED`, `PREVIEWED`) is among those that are asked for."""
    return not rerun.names or f"{what}/{environment.key.environment}" in rerun.names


def named(login: str, deployers: Collection[str]) -> bool:
    """Whether a person is among the deployers by name. To a forge, case makes no difference in a name."""
    return login.lower() in {each.lower() for each in deployers if "/" not in each}


def teams(deployers: Collection[str]) -> tuple[str, ...]:
    """The teams and groups among the deployers: what has a slash."""
    return tuple(each for each in deployers if "/" in each)


def of_request(request: PullRequest, environments: Sequence[Environment]) -> tuple[Environment, ...]:
    """The environments that a request is for: those of its base.

    Raises:
        Denied: there is none.
    """
    found = tuple(each for each in environments if each.branch == request.base)
    if not found:
        branches = ", ".join(sorted({f"`{each.branch}`" for each in environments}))
        raise Denied(f"Nothing is deployed from the branch of this request, only from {branches}.")
    return found


def to_deploy(command: Command, request: PullRequest, environments: Sequence[Environment]) -> Environment:
    """The environment that `/deploy` names.

    Raises:
        Denied: it names none, or several, or one that is not there; or the request was closed without a merge.
    """
    if len(command.arguments) != 1:
        raise Denied(f"One environment, please: `/deploy ENVIRONMENT`. {_there(environments)}")
    if not (request.open or request.merged):
        raise Denied("This request was closed without a merge, so there is nothing of it to deploy.")
    return _named(command.arguments[0], environments)


def to_preview(command: Command, request: PullRequest, environments: Sequence[Environment]) -> tuple[Environment, ...]:
    """The environments that `/diff` means; all of them when it names none.

    Raises:
        Denied: it names several, or one that is not there; or the request is not open any more.
    """
    if len(command.arguments) > 1:
        raise Denied(f"One environment or none, please: `/diff [ENVIRONMENT]`. {_there(environments)}")
    if not request.open:
        raise Denied("This request is not open any more, so there is nothing to preview.")
    return (_named(command.arguments[0], environments),) if command.arguments else tuple(environments)


def to_replay(command: Command, request: PullRequest) -> str:
    """The commit that `/replay` deploys again: what the request was merged as.

    Raises:
        Denied: the request was not merged, or the forge does not say as what.
    """
    if command.arguments:
        raise Denied("`/replay` goes to every environment that the merge has reached, and takes no name.")
    if not request.merged:
        raise Denied("This request is not merged, so there is no merge to send through again.")
    if request.merge_commit is None:
        raise Denied("The forge does not say which commit this request was merged as.")
    return request.merge_commit


def deploys(request: PullRequest, environment: Environment, commit: str, *, page: str) -> Answer:
    """What to say when the tip of the branch is deployed because of a comment on a request."""
    name = environment.key.environment
    said = f"`{environment.branch}` at {commit} goes to `{name}`: {page}"
    if request.open:
        said += "\n\nWhat this request changes is not part of it, and is deployed when it is merged."
        said += f" `/diff {name}` shows it."
    elif request.merge_commit not in (None, commit):
        said += f"\n\nThat is further than this request, which was merged as {request.merge_commit}."
    return Answer(Reaction.ROCKET, said)


def help_for(repository: str, branch: str, environments: Sequence[Environment]) -> str:
    """What can be asked for in a comment, in Markdown."""
    lines = (
        f"Everybody who can write to {repository} can ask for these, at the very beginning of a new comment:",
        "",
        f"- `/{CommandName.DEPLOY} ENVIRONMENT` deploys the newest commit of `{branch}` once more",
        f"- `/{CommandName.DIFF} [ENVIRONMENT]` shows anew what merging this request would change",
        f"- `/{CommandName.REPLAY}` deploys the merge of this request once more, where it was deployed before",
        f"- `/{CommandName.HELP}` shows this",
        "",
        _there(environments),
    )
    return "\n".join(lines)


def _named(name: str, environments: Sequence[Environment]) -> Environment:
    found = next((each for each in environments if each.key.environment == name), None)
    if found is None:
        raise Denied(f"There is no environment `{name}` here. {_there(environments)}")
    return found


def _there(environments: Sequence[Environment]) -> str:
    def shown(environment: Environment) -> str:
        restricted = " (only for some)" if environment.deployers else ""
        return f"`{environment.key.environment}`{restricted}"

    return f"Environments: {', '.join(map(shown, environments))}"
