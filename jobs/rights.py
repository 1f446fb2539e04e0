"""Finds out at the forge what a person may ask for. Nothing is kept: a right can be taken away any time.

In doubt a person may not: whatever the forge does not say is an error, and nothing is done then.
"""

from __future__ import annotations

from dataclasses import dataclass

from deployer.asking import Denied, named, teams
from deployer.forges.connect import Forge
from deployer.model import Environment, Permanent, Permission, Reaction


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who asks for something in a repository. Both name and number have to be that person's still."""

    forge: Forge
    repository: str
    login: str
    id: int

    def must_write(self) -> None:
        """Make sure that the person can write to the repository: the least that anything asks for.

        Raises:
            Denied: the person cannot.
            Permanent: the forge does not tell us.
            Temporary: the forge cannot be asked now.
        """
        if self.forge.permission(self.repository, self.login, user_id=self.id) < Permission.WRITE:
            raise Denied(f"Only people who can write to {self.repository} can ask for this.", Reaction.THUMBS_DOWN)

    def must_deploy(self, environment: Environment) -> None:
        """Make sure that somebody who can write may have an environment deployed.

        Where its settings name `deployers`, it has to be one of them, also for an administrator of the forge.

        Raises:
            Denied: the person may not.
            Permanent: the forge does not tell us, and nothing else allows it.
            Temporary: the forge cannot be asked now.
        """
        deployers = environment.deployers
        if deployers and not named(self.login, deployers) and not self._is_in(teams(deployers)):
            name = environment.key.environment
            raise Denied(f"`{name}` is deployed only by those whom its settings name.", Reaction.THUMBS_DOWN)

    def _is_in(self, any_of: tuple[str, ...]) -> bool:
        unknown: Permanent | None = None
        for team in any_of:
            try:
                if self.forge.is_member(team, self.login, user_id=self.id):
                    return True
            except Permanent as failure:
                unknown = failure  # another team may still say yes
        if unknown is not None:
            raise unknown
        return False
