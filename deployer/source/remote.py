"""The other side of a fetch: asking it for the tip of a branch, and saying in people's words why it did not answer.

Touches no mirror: what it reports is the fault of the remote, the network or the settings.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from deployer import process
from deployer.model import Failure, Permanent, Stage, Temporary
from deployer.process import Completed, Limits, ProgramFailed, ProgramTimedOut
from deployer.source.git import (
    Address,
    Credential,
    arguments,
    check_branch,
    environment,
    parse_address,
    without_userinfo,
)

LARGEST_ANSWER = 16 * process.MIB
"""Bytes that git may write where it only answers a question."""


class _Reason(NamedTuple):
    marks: tuple[str, ...]
    kind: type[Failure]
    advice: str


_REASONS = (
    _Reason(
        ("cannot run ssh",),
        Permanent,
        "there is no ssh on this machine: install it or use an https clone_url",
    ),
    _Reason(
        ("host key verification failed",),
        Permanent,
        "the host's key is not known here: add it to the known_hosts file of the user that the deployer runs as",
    ),
    _Reason(
        ("permission denied (",),
        Permanent,
        "the ssh key was refused: give the deployer's key read access to the repository",
    ),
    _Reason(
        ("authentication failed", "could not read username", "could not read password", "access denied",
         "returned error: 401", "returned error: 403", "invalid username or"),
        Permanent,
        "the credentials were refused: check the forge's `token` and that it may read this repository",
    ),
    _Reason(
        ("repository not found", "returned error: 404", "does not appear to be a git repository", "' not found",
         "could not be found or you don't have permission"),
        Permanent,
        "there is no such repository, or the token may not see it: check `name`, the forge's `clone_url` and `token`",
    ),
    _Reason(
        ("returned error: 30", "unable to update url base from redirection"),
        Permanent,
        "it answers with a redirect, which is not followed: put the new address into `name` or `clone_url`",
    ),
    _Reason(
        ("dubious ownership",),
        Permanent,
        "the repository belongs to another user of this machine: run the deployer as its owner",
    ),
    _Reason(
        ("could not be started",),
        Temporary,
        "is git installed, and on the PATH?",
    ),
    _Reason(
        ("certificate",),
        Temporary,
        "its certificate was not accepted: name your authority's file in GIT_SSL_CAINFO",
    ),
)  # fmt: skip
"""What git, curl, ssh and the forges write, lower case, under LC_ALL=C; first match wins."""

_OTHERWISE = _Reason((), Temporary, "it could not be reached or broke off; this is tried again")


_CHATTER = ("fatal: Could not read from remote", "Please make sure", "and the repository exists", "hint:")


@dataclass(frozen=True, slots=True)
class Remote:
    """A repository elsewhere, what to show it, and how long one run of git may take."""

    address: Address
    credential: Credential | None
    seconds: float

    def git(
        self, *command: str, folder: Path | None = None, stdin: bytes = b"", most: int = LARGEST_ANSWER
    ) -> Completed:
        """Run one git command, on the bare repository in `folder` or on none. It may write files of `most` bytes.

        Raises:
            ProgramFailed: see `process.run`.
        """
        return process.run(
            [*arguments(self.address, self.credential), *command],
            cwd=Path("/") if folder is None else folder.parent,
            environment=environment(self.address, self.credential, inherited=os.environ, folder=folder),
            limits=Limits(seconds=self.seconds, output=most),
            stdin=stdin,
            redact=self.credential.secrets if self.credential else (),
        )

    def tip(self, branch: str) -> str:
        """The commit that `branch` is at.

        Raises:
            Permanent: there is no such branch or repository, or the credentials were refused.
            Temporary: it could not be reached, or did not answer in time.
        """
        check_branch(branch)
        doing = f"asking {self.address} for branch {branch}"
        try:
            answer = self.git("ls-remote", "--quiet", "--end-of-options", self.address.url, f"refs/heads/{branch}")
        except ProgramFailed as error:
            raise self.failure(doing, error) from error
        for line in answer.stdout.decode(errors="replace").splitlines():
            commit, _, ref = line.partition("\t")
            if ref == f"refs/heads/{branch}":
                return commit
        raise Permanent(
            f"{doing}: it has no branch {branch!r}; check `branch` in the settings, or push it", stage=Stage.FETCH
        )

    def failure(self, doing: str, error: ProgramFailed) -> Failure:
        """What to raise for `error` while `doing`, with what to do about it."""
        if isinstance(error, ProgramTimedOut):
            return Temporary(f"{doing}: no end after {self.seconds:g} s; this is tried again", stage=Stage.FETCH)
        said = without_userinfo(error.stderr) or error.reason
        reason = next((reason for reason in _REASONS if any(mark in said.lower() for mark in reason.marks)), _OTHERWISE)
        return reason.kind(f"{doing}: {_shortened(said)}; {reason.advice}", stage=Stage.FETCH)


def remote_tip(url: str, branch: str, credential: Credential | None = None, *, seconds: float = 30) -> str:
    """The commit that `branch` of the repository at `url` is at now, without fetching anything.

    Raises:
        Permanent: the URL or the branch is refused, there is none such, or the credentials were refused.
        Temporary: the repository could not be reached, or did not answer within `seconds`.
    """
    return Remote(parse_address(url), credential, seconds).tip(branch)


def _shortened(said: str) -> str:
    """What was said in one line, without the advice that git gives for every failure."""
    lines = (line.strip() for line in said.splitlines())
    return " ".join(line for line in lines if line and not line.startswith(_CHATTER))[:500].rstrip(".")
