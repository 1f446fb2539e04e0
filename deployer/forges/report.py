"""The words that people read on a commit: what became of a deployment, in one line.

Pure: values in, text out. Which forge shows the line is not known here; each cuts it to its own limit with `cut`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from deployer.model import Action, CommitStatus, Deployment, Failure, ObjectResult, State, StatusState

SUMMARY_LENGTH = 500
"""Characters of a failure that are kept; what a tool printed can be megabytes, and the log has all of it."""

_STATES = {
    State.QUEUED: StatusState.PENDING,
    State.RUNNING: StatusState.PENDING,
    State.ROLLING_OUT: StatusState.PENDING,
    State.SUCCEEDED: StatusState.SUCCESS,
    State.FAILED: StatusState.FAILURE,
    State.SUPERSEDED: StatusState.CANCELED,
    # Held is final: the environment does not run this commit until someone acts, and pending would hide that.
    State.HELD: StatusState.FAILURE,
}

_ESCAPE_SEQUENCE = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\))")
_CHANGED = (Action.CREATED, Action.UPDATED)


def commit_status(deployment: Deployment, *, page: str) -> CommitStatus:
    """What to say on the commit of a deployment; `page` is the URL where people read more about it."""
    return CommitStatus(
        repository=deployment.key.repository,
        commit=deployment.commit,
        context=f"deploy/{deployment.key.environment}",
        state=_STATES[deployment.state],
        description=line(deployment.summary) or deployment.state.value.replace("_", " "),
        target_url=page,
    )


def summary(results: Sequence[ObjectResult], *, seconds: float) -> str:
    """What a deployment did that went well, as in `12 objects, 3 changed, applied in 1.4 s`."""
    count = f"{len(results)} object{'' if len(results) == 1 else 's'}"
    changed = sum(result.action in _CHANGED for result in results)
    if not changed:
        return f"{count}, nothing to change"
    return f"{count}, {changed} changed, applied in {_duration(seconds)}"


def failure_summary(failure: Failure) -> str:
    """Where and why a deployment ended, as in `render: accumulating resources: …`; at most `SUMMARY_LENGTH` long."""
    return cut(f"{failure.stage}: {line(failure.message) or 'no reason was given'}", SUMMARY_LENGTH)


def line(text: str) -> str:
    """`text` on one line: no escape sequence, control character or bidirectional override; white space as one space."""
    visible = (each for each in _ESCAPE_SEQUENCE.sub("", text) if each.isprintable() or each.isspace())
    return " ".join("".join(visible).split())


def cut(text: str, limit: int) -> str:
    """`text` in at most `limit` characters (code points, at least one), with `…` where something was left out.

    A chain of reasons (`stage: what: …: cause`) keeps its two ends, any other text its beginning; words stay whole
    unless one alone is too long.
    """
    if len(text) <= limit:
        return text
    for named in (3, 2, 1):
        beginning = _beginning(text, named)
        if beginning and len(beginning) <= limit // 2:
            return f"{beginning}… {_last_words(text[len(beginning) :], limit - len(beginning) - 2)}"
    return f"{_first_words(text, limit - 1)}…"


def _beginning(text: str, named: int) -> str:
    """The first `named` reasons of a chain, or nothing when none follows them or two are all that there is."""
    reasons = text.split(": ")
    return ": ".join(reasons[:named]) + ": " if len(reasons) > max(named, 2) else ""


def _first_words(text: str, most: int) -> str:
    end = text.rfind(" ", 0, most + 1)
    return text[:end].rstrip(" ,;:") if end > most // 2 else text[:most]


def _last_words(text: str, most: int) -> str:
    """The longest ending of whole words, and of whole reasons where that does not cost more than half of it."""
    ending = text[len(text) - most :]
    for separator in (": ", " "):
        _, found, rest = (text[len(text) - most - len(separator) :]).partition(separator)
        if found and len(rest) >= most // 2:
            return rest
    return ending


def _duration(seconds: float) -> str:
    tenths = max(1, round(seconds * 10))
    if tenths < 100:
        return f"{tenths / 10} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes >= 2 else f"{round(seconds)} s"
