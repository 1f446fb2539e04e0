"""How git is called: which addresses and names it may see, its arguments and its environment.

Pure; nothing is run here. What a repository, a payload or this machine's configuration says never decides what git
executes or where it connects; a secret is in the environment alone, never in an argument.
"""

from __future__ import annotations

import base64
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from deployer.model import Permanent, Stage

INHERITED = (
    "PATH",
    *(name for lower in ("http_proxy", "https_proxy", "all_proxy", "no_proxy") for name in (lower, lower.upper())),
    "SSL_CERT_FILE", "SSL_CERT_DIR", "GIT_SSL_CAINFO", "GIT_SSL_CAPATH", "SSH_AUTH_SOCK",
)  # fmt: skip
"""The only variables passed on to git: where programs are, how to reach the forge, whom to trust, the ssh agent."""

_NEVER = (
    "-c", "core.hooksPath=/dev/null",
    "-c", "core.fsmonitor=false",
    "-c", "maintenance.auto=false",
    "-c", "http.followRedirects=false",
    "-c", "credential.helper=",
)  # fmt: skip
"""What git must not do by itself. An empty helper forgets all helpers that were set before."""

_HELPER = (
    '!f() { test "$1" = get && printf "username=%s\\npassword=%s\\n"'
    ' "$DEPLOYER_GIT_USERNAME" "$DEPLOYER_GIT_PASSWORD"; }; f'
)
"""A credential helper: git runs it through its shell and reads the answer from a pipe (`man gitcredentials`).
`printf` is the shell's own, so that no process has the secret among its arguments."""

_HTTP = re.compile(r"(?P<scheme>https?)://(?P<host>[A-Za-z0-9\[][A-Za-z0-9.:_\[\]-]*)/[^\s\x00-\x1f\x7f]+")
_SSH = re.compile(
    r"(?P<scheme>ssh)://([A-Za-z0-9_][\w.-]*@)?(?P<host>[A-Za-z0-9\[][A-Za-z0-9.:_\[\]-]*)/[^\x00-\x1f\x7f]+"
)
_FILE = re.compile(r"(?P<scheme>file)://(?P<host>)/[^\x00-\x1f\x7f]+")
_SCP = re.compile(
    r"(?P<scheme>)([A-Za-z0-9_][\w.-]*@)?(?P<host>[A-Za-z0-9][A-Za-z0-9.-]*):(?![:-]|//)[^\x00-\x1f\x7f]+"
)
_USERINFO = re.compile(r"//[^/\s]*@")

_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_NOT_IN_BRANCH = re.compile(r"[\x00-\x20\x7f~^:?*\[\\]|\.\.|@\{|//|/\.|\.lock(/|$)|\.$|/$|^[-/.]|^@$")
"""What `man git-check-ref-format` forbids, and a leading dash."""


@dataclass(frozen=True, slots=True)
class Credential:
    """What a forge is shown over HTTP. `repr` hides the password."""

    username: str
    password: str = field(repr=False)

    def __post_init__(self) -> None:
        if any(character in self.username + self.password for character in "\n\r\0"):
            raise Permanent(
                "the user name or token for git contains a line break or a zero byte, which git cannot be given",
                stage=Stage.FETCH,
            )

    @property
    def secrets(self) -> tuple[str, ...]:
        """Each form in which the password could turn up in a message."""
        pair = f"{self.username}:{self.password}".encode()
        return self.password, base64.b64encode(pair).decode()


@dataclass(frozen=True, slots=True)
class Address:
    """Where a repository is, known to be of a kind that git may fetch from."""

    url: str
    scheme: str
    host: str
    """With the port, as in the URL. Empty for a file."""

    def __str__(self) -> str:
        return self.url


def parse_address(url: str) -> Address:
    """Read the URL of a repository: `https`, `http`, `ssh`, `file`, or ssh's short form `user@host:path`.

    Raises:
        Permanent: it is of another kind, holds a password, or could be read as an option or a command.
    """
    for pattern in (_HTTP, _SSH, _FILE, _SCP):
        if match := pattern.fullmatch(url):
            return Address(url, match["scheme"] or "ssh", match["host"])
    advice = (
        "a user name or a token does not belong in it, put the token under the forge's `token`"
        if _USERINFO.search(url)
        else "it must be https://host/path, ssh://user@host/path, user@host:path, http://host/path or file:///path"
    )
    raise Permanent(
        f"the clone URL {without_userinfo(url)[:200]!r} is refused: {advice} (see `clone_url` in the settings)",
        stage=Stage.FETCH,
    )


def check_branch(name: str) -> None:
    """Refuse what is no branch name (https://git-scm.com/docs/git-check-ref-format).

    Raises:
        Permanent: git, or a reader of its command line, could take it for something else.
    """
    if not name or _NOT_IN_BRANCH.search(name):
        raise Permanent(f"{name[:200]!r} is not the name of a branch (see `branch` in the settings)", stage=Stage.FETCH)


def check_commit(commit: str) -> None:
    """Refuse every name of a commit but its full hash.

    Raises:
        Permanent: it is not 40 or 64 lower-case hexadecimal digits.
    """
    if not _COMMIT.fullmatch(commit):
        raise Permanent(
            f"{commit[:100]!r} is not a commit: give all 40 (or 64) lower-case hexadecimal digits of its hash",
            stage=Stage.FETCH,
        )


def without_userinfo(text: str) -> str:
    """`text` with what stands before the host in each URL taken out."""
    return _USERINFO.sub("//[redacted]@", text)


def arguments(address: Address, credential: Credential | None) -> list[str]:
    """Git and the options that go before its subcommand. The credential is offered to the address's host only."""
    given = list(_NEVER)
    if credential is not None and address.scheme in ("https", "http"):
        given += ["-c", f"credential.{address.scheme}://{address.host}.helper={_HELPER}"]
    return ["git", *given]


def environment(
    address: Address, credential: Credential | None, *, inherited: Mapping[str, str], folder: Path | None
) -> dict[str, str]:
    """All variables that git gets.

    Args:
        address: its scheme is the only protocol that git may speak.
        credential: goes to our helper, for HTTP.
        inherited: the variables of this process, of which those in `INHERITED` are passed on.
        folder: the bare repository to work on; without one git sees no repository at all.
    """
    variables = {name: inherited[name] for name in INHERITED if name in inherited}
    variables |= {
        "LC_ALL": "C",  # what git says is looked at: see remote.py
        "HOME": os.devnull,  # holds no .gitconfig and no .netrc; git before 2.32 knows no GIT_CONFIG_GLOBAL
        "XDG_CONFIG_HOME": os.devnull,
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_ATTR_NOSYSTEM": "1",
        "GIT_DIR": os.devnull if folder is None else str(folder),
        "GIT_DEFAULT_REF_FORMAT": "files",
        "GIT_LITERAL_PATHSPECS": "1",
        "GIT_ALLOW_PROTOCOL": address.scheme,
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_ASKPASS": "",  # set and empty, which also turns off core.askPass and SSH_ASKPASS
        "GIT_SSH_COMMAND": "ssh -o BatchMode=yes -o StrictHostKeyChecking=yes -o ConnectTimeout=15",
        "GIT_SSH_VARIANT": "ssh",
    }
    if credential is not None and address.scheme in ("https", "http"):
        variables |= {"DEPLOYER_GIT_USERNAME": credential.username, "DEPLOYER_GIT_PASSWORD": credential.password}
    return variables
