"""What all commands share: which environment is meant, who asks, and one line for whatever goes wrong."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager

import click
from redis.exceptions import RedisError

from deployer.model import Environment, Failure


def environment_of(repository: str, name: str) -> Environment:
    """The environment that is meant, of the one repository that has it.

    Raises:
        ClickException: there is none, or more than one; the message says which there are.
    """
    from jobs.resources import resources

    known = resources().settings.environments
    found = [
        each
        for each in known
        if each.key.environment == name
        and repository in (each.key.repository, f"{each.key.forge}/{each.key.repository}")
    ]
    if len(found) == 1:
        return found[0]
    if found:
        choices = ", ".join(f"{each.key.forge}/{each.key.repository}" for each in found)
        raise click.ClickException(f"{repository} {name} is on more than one forge; say which: {choices}")
    names = ", ".join(f"{each.key.repository} {each.key.environment}" for each in known)
    raise click.ClickException(f"no environment {name} of {repository} in the settings; there are: {names}")


def user() -> str:
    """Who is at the terminal, for the audit."""
    import getpass

    return f"{getpass.getuser()} (command line)"


@contextmanager
def explained(*, exit_code: int = 1) -> Iterator[None]:
    """Turn what can go wrong into one line for the person at the terminal."""
    from deployer.settings import SettingsError

    try:
        yield
    except click.ClickException as error:
        sys.exit(_said(error.message, exit_code))
    except (Failure, SettingsError) as error:
        sys.exit(_said(str(error), exit_code))
    except RedisError as error:
        sys.exit(_said(f"Redis does not answer ({error}); is REDIS_URL right?", exit_code))
    except KeyboardInterrupt:
        sys.exit(_said("interrupted", exit_code))
    except Exception as error:  # a script that asks for a difference must not take this for one
        sys.exit(_said(f"internal error: {error!r}\n{traceback.format_exc()}", exit_code))


def _said(message: str, exit_code: int) -> int:
    click.echo(f"Error: {message}", err=True)
    return exit_code
