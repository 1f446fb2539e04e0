"""What a comment on a pull or merge request asks for.

A command stands at the very beginning of a comment, as it does for other robots. So code blocks, quotes, hidden text
and whatever is said about commands are none, in any dialect of Markdown, without reading Markdown at all.
"""

from __future__ import annotations

import re

from deployer.model import CommandName

MOST_ARGUMENTS = 5

NO_COMMAND = "a comment that asks for nothing here"
BY_ROBOT = "a comment by a robot: only people are listened to"

Asked = tuple[CommandName, tuple[str, ...]]
"""A command and its arguments."""

_COMMANDS = {f"/{name}": name for name in CommandName}
_ARGUMENT = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,62}")


def read_command(text: str) -> Asked | None:
    """The command in the first line that is not blank; None when it is none of ours.

    The line starts with it, not indented: `/deploy staging`. Whatever follows in other lines is for people. Arguments
    that cannot be names, or are too many to be meant as such, make it a call for help, so that its author gets an
    answer, and none of the text gets further.
    """
    line = next((line for line in text.splitlines() if line.strip()), "")
    word, *arguments = line.split(maxsplit=MOST_ARGUMENTS + 1) or [""]
    name = _COMMANDS.get(word)
    if name is None or not line.startswith(word):
        return None
    if len(arguments) > MOST_ARGUMENTS or not all(map(_ARGUMENT.fullmatch, arguments)):
        return CommandName.HELP, ()
    return name, tuple(arguments)
