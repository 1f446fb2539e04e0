"""`deployer demo`: a merge, then a pull request with its preview, from the button to the clusters, on this machine."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TypeVar

from rich.console import Console
from rich.live import Live

from deployer.demo import screen, sight
from deployer.demo.screen import Journey, Preview
from deployer.demo.stack import Stack, propose
from deployer.demo.stack import running as running_stack
from deployer.promises import as_previewed
from deployer.sandbox import shop
from deployer.sandbox.forge import PullRequest

SECONDS_TO_WATCH = 60
"""What takes longer than this has gone wrong."""

Seen = TypeVar("Seen", Journey, Preview)


def run(*, once: bool, console: Console | None = None) -> int:
    """Run the demo until Ctrl-C, or with `once` until both of its pull requests are merged and deployed.

    Returns:
        An exit code: 0 when everything that was shown went well: the checks of each merge, the preview, and that what
        was deployed is what the preview showed.
    """
    console = console or Console()
    with tempfile.TemporaryDirectory(prefix="deployer-demo-") as folder:
        began = time.monotonic()
        console.print("[dim]starting Redis, two clusters, a forge, web, worker and clock on this machine…[/]")
        with running_stack(Path(folder)) as stack:
            merged = _first_act(stack, console)
            console.print(f"[dim]{time.monotonic() - began:.1f} s since the start[/]\n")
            previewed = _second_act(stack, console, once=once)
        return 0 if merged and previewed else 1


def _first_act(stack: Stack, console: Console) -> bool:
    """A merge and what becomes of it; whether that went well."""
    (pull,) = stack.forge.pull_requests(shop.NAME)
    return _merge(stack, console, pull).well


def _second_act(stack: Stack, console: Console, *, once: bool) -> bool:
    """A pull request with its preview, merged by whoever watches, or with `once` by us; whether that went well."""
    pull = propose(stack.forge, shop.proposals()[1])
    page = f"{stack.forge.url}/{shop.NAME}/pull/{pull.number}"
    console.print(f"{pull.author} opens pull request #{pull.number}: {page}\n")
    foreseen = _watch(console, partial(sight.preview, stack, pull))
    if once:
        return _merge(stack, console, pull).kept(as_previewed(pull.number)) and foreseen.well
    console.print(f"Read what it would change and press [bold]Merge[/]: {page}   (Ctrl-C ends it all)\n")
    _follow(stack, console)
    return foreseen.well


def _merge(stack: Stack, console: Console, pull: PullRequest) -> Journey:
    """Press the button of a pull request and show what becomes of it."""
    console.print(f"{pull.author} merges pull request #{pull.number} on {stack.forge.url}/{shop.NAME}\n")
    return _show(stack, console, stack.forge.merge(shop.NAME, pull.number, by=pull.author).commit)


def _follow(stack: Stack, console: Console) -> None:
    """Show every further merge, and whatever else is deployed because somebody asked for it, until Ctrl-C."""
    shown = sight.journey(stack, stack.forge.tip(shop.NAME))
    try:
        while True:
            time.sleep(0.1)
            now = sight.journey(stack, stack.forge.tip(shop.NAME))
            if (now.commit, now.deployments) != (shown.commit, shown.deployments):
                shown = _show(stack, console, now.commit)
    except KeyboardInterrupt:
        console.print("[dim]stopping…[/]")


def _show(stack: Stack, console: Console, commit: str) -> Journey:
    """Show a commit on its way until it has its checks, then what runs, and where to read more."""
    journey = _watch(console, partial(sight.journey, stack, commit))
    console.print(screen.running(sight.settled(stack)), "")
    pages = [f"{stack.settings.url}/deployments/{each}" for each in journey.deployments]
    console.print("\n".join(f"[dim]{page}[/]" for page in pages), end="\n\n")
    return journey


def _watch(console: Console, look: Callable[[], Seen]) -> Seen:
    """Show what `look` sees until that is over, or has taken too long."""
    began = time.monotonic()
    with Live(console=console, refresh_per_second=20, transient=True) as live:
        while True:
            seen, seconds = look(), time.monotonic() - began
            live.update(seen.drawn(seconds))
            if seen.over or seconds > SECONDS_TO_WATCH:
                break
            time.sleep(0.05)
    console.print(seen.drawn(seconds), "")
    return seen
