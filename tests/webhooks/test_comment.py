"""Which comments are commands, and which only look like some."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deployer.model import CommandName
from deployer.webhooks.comment import MOST_ARGUMENTS, read_command


@pytest.mark.parametrize(
    ("text", "command"),
    [
        ("/deploy staging", (CommandName.DEPLOY, ("staging",))),
        ("/diff staging", (CommandName.DIFF, ("staging",))),
        ("/replay", (CommandName.REPLAY, ())),
        ("/help", (CommandName.HELP, ())),
        ("/deploy", (CommandName.DEPLOY, ())),
        ("/deploy eu-1 eu-2", (CommandName.DEPLOY, ("eu-1", "eu-2"))),
        ("/deploy \t Staging  ", (CommandName.DEPLOY, ("Staging",))),
        ("\r\n \r\n/deploy staging\r\nthank you", (CommandName.DEPLOY, ("staging",))),
        ("/deploy staging\n/deploy production", (CommandName.DEPLOY, ("staging",))),
        ("/diff " + "x" * 63, (CommandName.DIFF, ("x" * 63,))),
    ],
)
def test_the_first_line_that_is_not_blank_is_a_command_when_it_starts_as_one(
    text: str, command: tuple[CommandName, tuple[str, ...]]
) -> None:
    assert read_command(text) == command


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n \n",
        "please /deploy staging",
        "please\n/deploy staging",
        " /deploy staging",
        "    /deploy staging",
        "\t/deploy staging",
        "> /deploy staging",
        "```\n/deploy staging\n```",
        "~~~\n/deploy staging\n~~~",
        "`/deploy staging`",
        "<!--\n/deploy staging\n-->",
        "<pre>\n/deploy staging\n</pre>",
        "- /deploy staging",
        "**/deploy** staging",
        "\\/deploy staging",
        "\u200b/deploy staging",
        "\ufeff/deploy staging",
        "/",
        "/ deploy staging",
        "//deploy staging",
        "/Deploy staging",
        "/deploys staging",
        "/deploy/staging",
        "/deploy:staging",
        "/deploy\u200b staging",
        "/approve\n/deploy staging",
        "/retest",
        "deploy staging",
    ],
    ids=repr,
)
def test_anything_else_is_none(text: str) -> None:
    assert read_command(text) is None


@pytest.mark.parametrize(
    "arguments",
    [
        "staging!",
        "staging, please",
        "--force",
        "@acme/all",
        "www.example.com",
        "../production",
        "staging\u200b",
        "stagіng",
        "[staging](https://example.com)",
        "<!--x-->",
        "$(id)",
        "staging\x00",
        "\ud800",
        "x" * 64,
        " ".join(["staging"] * (MOST_ARGUMENTS + 1)),
        "staging " * 100_000,
    ],
    ids=lambda text: repr(text)[:30],
)
@pytest.mark.parametrize("name", CommandName)
def test_a_command_with_other_arguments_than_a_few_names_is_a_call_for_help(name: CommandName, arguments: str) -> None:
    assert read_command(f"/{name} {arguments}") == (CommandName.HELP, ())


def test_as_many_arguments_as_are_allowed_pass() -> None:
    assert read_command("/deploy" + " a" * MOST_ARGUMENTS) == (CommandName.DEPLOY, ("a",) * MOST_ARGUMENTS)


@settings(deadline=None)
@given(
    st.text(st.characters(codec=None), max_size=20),
    st.sampled_from(["", "/deploy ", "/deploy\n", "/help", "\n/diff "]),
    st.text(st.characters(codec=None), max_size=40),
)
def test_whatever_is_written_only_names_come_out(before: str, command: str, after: str) -> None:
    asked = read_command(before + command + after)
    if asked is not None:
        name, arguments = asked
        assert (before + command + after).lstrip().startswith("/")
        assert isinstance(name, CommandName)
        assert all(re.fullmatch(r"[A-Za-z0-9-]{1,63}", argument, re.ASCII) for argument in arguments)
