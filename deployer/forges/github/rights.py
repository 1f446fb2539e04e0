"""What the deployer may need to be allowed at GitHub, in the three forms that GitHub has for that: an App's permission,
that of a fine-grained token, and a classic token's scope."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Right:
    """One permission. https://docs.github.com/en/rest/authentication/permissions-required-for-github-apps"""

    name: str
    """In the API."""
    level: str
    """`read` or `write`."""
    title: str
    """As people meet it on GitHub's pages."""
    scope: str
    """A classic token's."""

    def __str__(self) -> str:
        return f"'{self.title}: {'read and write' if self.level == 'write' else 'read-only'}'"

    @property
    def token_hints(self) -> Mapping[int, str]:
        """What to do about an answer to a request that needs this, by its HTTP status."""
        needed = f"the token needs {self}; a classic one the scope {self.scope}"
        return {
            401: "the token is wrong, expired or revoked",
            403: needed,
            404: f"{needed}; or it is not there under this name",
        }

    @property
    def app_hints(self) -> Mapping[int, str]:
        """What to do when GitHub gives an App no token with this right, by the HTTP status of the answer."""
        return {
            401: "check app.id, the private key, and this machine's clock",
            404: "install the GitHub App on the repository or organization",
            422: f"the App needs {self}, accepted by the owner",
        }


CONTENTS = Right("contents", "read", "Contents", "repo")
STATUSES = Right("statuses", "write", "Commit statuses", "repo:status")
CHECKS = Right("checks", "write", "Checks", "repo")
DEPLOYMENTS = Right("deployments", "write", "Deployments", "repo_deployment")
PULL_REQUESTS = Right("pull_requests", "read", "Pull requests", "repo")
COMMENTS = Right("pull_requests", "write", "Pull requests", "repo")
REACTIONS = Right("issues", "write", "Issues", "repo")
"""On a comment of a pull request, too, because the API has that as an issue's."""
METADATA = Right("metadata", "read", "Metadata", "repo")
MEMBERS = Right("members", "read", "Members (of the organization)", "read:org")
