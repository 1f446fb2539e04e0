"""A push as both forges describe it: `ref` and `after` mean the same on GitHub and GitLab."""

from __future__ import annotations

from deployer.model import Event, Ignored, Merge
from deployer.webhooks.payload import Fields, is_null_commit, one_line
from deployer.webhooks.refusal import Malformed

_BRANCH = "refs/heads/"
_TAG = "refs/tags/"


def read_push(payload: Fields, *, repository: str, actor: str | None, title: str | None) -> Event:
    """What the push did to its ref: moved a branch to a commit, or something that deploys nothing.

    Raises:
        Malformed: `ref` is no full ref, or `after` is no commit.
    """
    ref = payload.name("ref")
    if not ref.startswith("refs/"):
        raise Malformed("ref is not a full ref such as refs/heads/main")
    if ref.startswith(_TAG):
        return Ignored(f"push of tag {one_line(ref.removeprefix(_TAG))}: only branches deploy")
    branch = ref.removeprefix(_BRANCH)
    if branch in (ref, ""):
        return Ignored(f"push of {one_line(ref)}: only branches deploy")
    if is_null_commit(payload.name("after")):
        return Ignored(f"branch {one_line(branch)} was deleted")
    return Merge(repository=repository, branch=branch, commit=payload.commit("after"), actor=actor, title=title)
