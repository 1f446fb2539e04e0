"""GitHub's checks: who asks for which of them again, and which buttons were pressed."""

from __future__ import annotations

from dataclasses import replace

import pytest

from deployer.model import RERUN, Ignored, Rerun
from deployer.webhooks.receive import Malformed
from tests.webhooks.deliveries import Recorded, edit, recorded, without
from tests.webhooks.wrong import NO_COMMITS, NO_NAMES, NO_NUMBERS, NO_SECTIONS, NO_TEXTS, UNSAFE

RUN = recorded("github_check_run_rerequested")
BUTTON = recorded("github_check_run_requested_action")
SUITE = recorded("github_check_suite_rerequested")
ASKED = Rerun(
    repository="acme/shop",
    commit="298892c2b57a3d54afbb331797054c1072ef6ddf",
    names=("deploy/staging",),
    action=RERUN,
    external_id="20261123T080211-5c0e",
    app_id=12345,
    actor="ada",
    actor_id=1815,
)


@pytest.mark.parametrize(
    ("delivery", "expected"),
    [
        (RUN, ASKED),
        (BUTTON, replace(ASKED, action="redeploy")),
        (SUITE, replace(ASKED, names=(), external_id=None)),
    ],
    ids=["run", "button", "suite"],
)
def test_what_is_asked_for_again(delivery: Recorded, expected: Rerun) -> None:
    assert delivery.event() == expected


def test_the_checks_of_another_app_say_so() -> None:
    for delivery, path in ((RUN, "check_run.app"), (SUITE, "check_suite.app")):
        other = edit(delivery, f"{path}.id", 99).event()
        assert isinstance(other, Rerun)
        assert other.app_id == 99
        for of_nobody in (edit(delivery, path, None), without(delivery, path)):
            event = of_nobody.event()
            assert isinstance(event, Rerun)
            assert event.app_id is None


@pytest.mark.parametrize("external_id", [None, ""])
def test_a_check_need_not_have_a_name_of_ours(external_id: str | None) -> None:
    assert edit(RUN, "check_run.external_id", external_id).event() == replace(ASKED, external_id=None)


def test_a_button_may_be_called_anything() -> None:
    assert edit(BUTTON, "requested_action.identifier", "go|15").event() == replace(ASKED, action="go|15")


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("check_run_completed", "check run completed: nobody asks for anything"),
        ("check_suite_requested", "check suite requested: nobody asks for anything"),
    ],
)
def test_what_happens_to_a_check_by_itself_is_ignored(name: str, reason: str) -> None:
    assert recorded(f"github_{name}").event() == Ignored(reason)


@pytest.mark.parametrize("delivery", [RUN, SUITE], ids=["run", "suite"])
@pytest.mark.parametrize("action", ["created", "an action of next year"])
def test_every_other_action_is_ignored(delivery: Recorded, action: str) -> None:
    assert isinstance(edit(delivery, "action", action).event(), Ignored)


def test_a_suite_has_no_buttons() -> None:
    assert isinstance(edit(SUITE, "action", "requested_action").event(), Ignored)


@pytest.mark.parametrize(
    ("delivery", "path", "values"),
    [
        (RUN, "action", NO_NAMES),
        (RUN, "repository.full_name", NO_NAMES),
        (RUN, "sender", [*NO_SECTIONS, None, {}]),
        (RUN, "sender.login", NO_NAMES),
        (RUN, "sender.id", NO_NUMBERS),
        (RUN, "check_run", [*NO_SECTIONS, None, {}]),
        (RUN, "check_run.name", NO_NAMES),
        (RUN, "check_run.head_sha", [*NO_COMMITS, None, ""]),
        (RUN, "check_run.external_id", [*NO_TEXTS, *UNSAFE]),
        (RUN, "check_run.app", [*NO_SECTIONS, {}]),
        (RUN, "check_run.app.id", NO_NUMBERS),
        (BUTTON, "requested_action", [*NO_SECTIONS, None, {}]),
        (BUTTON, "requested_action.identifier", NO_NAMES),
        (SUITE, "action", NO_NAMES),
        (SUITE, "check_suite", [*NO_SECTIONS, None, {}]),
        (SUITE, "check_suite.head_sha", [*NO_COMMITS, None, ""]),
        (SUITE, "check_suite.app.id", NO_NUMBERS),
    ],
)
def test_a_wrong_value_is_malformed_and_says_where(delivery: Recorded, path: str, values: list[object]) -> None:
    for value in values:
        with pytest.raises(Malformed) as refused:
            edit(delivery, path, value).event()
        assert path in str(refused.value)
