"""What people ask for in comments: who may, what is done, and what they read."""

from __future__ import annotations

import time

import pytest

from deployer.asking import GIVEN_UP
from deployer.model import EnvironmentKey, ForgeKind, PullRequestKey, State, Trigger
from deployer.retries import DEPLOYMENTS as BUDGET
from deployer.webhooks.comment import read_command
from jobs.delivery import DEATHS, plan_delivery
from tests.examples import PRODUCTION, STAGING, after, in_short
from tests.forges.recording import Answer
from tests.jobs.asking import ROBOTS, TEAM, US, Host, ask, comment, decisions, host, restrict, send
from tests.jobs.world import World, plan_all

KINDS = [ForgeKind.GITHUB, ForgeKind.GITLAB]


def merged(there: Host, commit: str) -> None:
    there.state, there.merged_as = "merged", commit


def queued(world: World) -> list[tuple[EnvironmentKey, str, Trigger, str | None]]:
    both = (STAGING, PRODUCTION)
    found = [each for key in both for each in world.given.store.deployments.queued(key)]
    return [(each.key, each.commit, each.trigger, each.actor) for each in found]


# Who may


@pytest.mark.parametrize("kind", in_short(*KINDS))
@pytest.mark.parametrize("text", ["/deploy staging", "/diff", "/diff staging", "/replay", "/help"])
@pytest.mark.parametrize("person", ["stranger", "reader"])
def test_whoever_cannot_write_gets_an_answer_and_nothing_else(
    world: World, kind: ForgeKind, text: str, person: str
) -> None:
    there = host(world, kind=kind)
    merged(there, world.first)
    assert ask(world, comment(text, by=person, kind=kind)) == []
    assert queued(world) == []
    assert there.signs in (["-1"], ["thumbsdown"])
    assert there.replies == ["Only people who can write to acme/shop can ask for this."]
    assert decisions(world) == [("refused", person, "")]
    assert world.given.store.deliveries.owed() == ()


@pytest.mark.parametrize("kind", KINDS)
def test_whoever_can_write_deploys_the_tip_of_the_branch(world: World, kind: ForgeKind) -> None:
    there = host(world, kind=kind)
    assert ask(world, comment("/deploy staging", kind=kind)) == [STAGING]
    assert queued(world) == [(STAGING, world.first, Trigger.MANUAL, "ada")]
    (reply,) = there.replies
    page = f"https://deployer.example.com/deployments/{world.latest(STAGING, world.first).id}"
    assert reply.startswith(f"`main` at {world.first} goes to `staging`: {page}\n")
    assert "deployed when it is merged" in reply
    assert there.signs == ["rocket"]
    assert decisions(world) == [("granted", "ada", "")]


@pytest.mark.parametrize("kind", in_short(*KINDS))
@pytest.mark.parametrize(
    ("person", "deployers", "may"),
    [
        ("ada", ["ADA"], True),
        ("ada", ["grace", TEAM], False),
        ("grace", [TEAM], True),
        ("grace", ["ada", TEAM], True),
        ("root", [TEAM], False),
        ("reader", ["reader"], False),
    ],
)
def test_an_environment_with_deployers_is_deployed_by_these_only(
    world: World, kind: ForgeKind, person: str, deployers: list[str], *, may: bool
) -> None:
    there = host(world, kind=kind)
    restrict(world, "production", *deployers)
    assert ask(world, comment("/deploy production", by=person, kind=kind)) == ([PRODUCTION] if may else [])
    assert bool(queued(world)) is may
    assert there.signs[0] in (("rocket",) if may else ("-1", "thumbsdown"))
    assert ask(world, comment("/deploy staging", by=person, kind=kind)) == ([STAGING] if person != "reader" else [])


def test_a_name_that_is_somebody_elses_by_now_may_nothing(world: World) -> None:
    there = host(world)
    restrict(world, "staging", "ada")
    other = comment("/deploy staging").changed(lambda payload: payload["comment"]["user"].update(id=4711))
    assert ask(world, other) == []
    assert there.signs == ["-1"]


@pytest.mark.parametrize("who", [US, *ROBOTS])
@pytest.mark.parametrize("text", ["/deploy staging", "/diff", "/help"])
def test_on_gitlab_neither_our_own_account_nor_one_that_is_nobodys_is_listened_to(
    world: World, who: str, text: str
) -> None:
    there = host(world, kind=ForgeKind.GITLAB)
    assert ask(world, comment(text, by=who, kind=ForgeKind.GITLAB)) == []
    assert (queued(world), there.posts, decisions(world)) == ([], [], [])
    assert world.given.store.deliveries.owed() == ()
    ignored = [row for row in world.given.store.audit.rows() if row.what == "ignored"]
    assert [row.fields["reason"] for row in ignored] == ["a comment by a robot: only people are listened to"]


# In doubt, nothing


@pytest.mark.parametrize("away", ["/permission", "/memberships", "/pulls/"])
def test_nothing_is_done_while_the_forge_does_not_say_who_may(world: World, away: str) -> None:
    there = host(world)
    restrict(world, "staging", TEAM)
    there.down = (away,)
    delivery = send(world, comment("/deploy staging", by="grace"))
    assert plan_delivery(world.given, "github", delivery) == []
    assert (queued(world), there.posts, decisions(world)) == ([], [], [])
    assert world.given.store.deliveries.owed(before=after(60)) == (("github", delivery),)
    there.down = ()
    assert plan_delivery(world.given, "github", delivery) == [STAGING]


@pytest.mark.parametrize("kind", KINDS)
def test_a_token_that_is_just_being_rotated_delays_what_is_asked_for(world: World, kind: ForgeKind) -> None:
    there = host(world, kind=kind)
    there.rotating = True
    delivery = send(world, comment("/deploy staging", kind=kind))
    assert plan_delivery(world.given, "github", delivery) == []
    assert (queued(world), there.posts, decisions(world)) == ([], [], [])
    there.rotating = False
    assert plan_delivery(world.given, "github", delivery) == [STAGING]
    assert there.signs == ["rocket"]


def test_a_forge_that_stays_away_is_given_up_audited_and_answered(world: World) -> None:
    there = host(world)
    there.down = ("/permission",)
    delivery = send(world, comment("/deploy staging"))
    for _ in range(BUDGET.attempts):
        plan_delivery(world.given, "github", delivery)
    assert (queued(world), decisions(world)) == ([], [("failed", "ada", "")])
    assert world.given.store.deliveries.owed() == ()
    assert there.signs == ["confused"]
    assert there.replies == [GIVEN_UP]


@pytest.mark.parametrize("kind", KINDS)
def test_what_fails_for_a_reason_that_nobody_thought_of_is_answered(
    world: World, kind: ForgeKind, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ValueError

    monkeypatch.setattr("jobs.commands.Plan.again", broken)
    there = host(world, kind=kind)
    assert ask(world, comment("/deploy staging", kind=kind)) == []
    assert (there.signs, there.replies) == (["confused"], [GIVEN_UP])
    assert decisions(world) == [("failed", "ada", "")]
    assert world.given.store.deliveries.owed() == ()


def test_what_takes_its_worker_along_each_time_is_answered(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    class Killed(BaseException):
        pass

    def die(*_: object, **__: object) -> None:
        raise Killed

    monkeypatch.setattr("jobs.commands.Plan.again", die)
    there = host(world)
    delivery = send(world, comment("/deploy staging"))
    for _ in range(DEATHS):
        with pytest.raises(Killed):
            plan_delivery(world.given, "github", delivery)
    assert plan_delivery(world.given, "github", delivery) == []
    assert (there.signs, there.replies, decisions(world)) == (["confused"], [GIVEN_UP], [("failed", "ada", "")])
    assert world.given.store.deliveries.owed() == ()


def test_an_answer_that_the_forge_does_not_take_changes_nothing(world: World) -> None:
    there = host(world)
    there.down, there.refuses = ("/permission",), ("/comments",)
    delivery = send(world, comment("/deploy staging"))
    for _ in range(BUDGET.attempts):
        plan_delivery(world.given, "github", delivery)
    assert (there.posts, decisions(world)) == ([], [("failed", "ada", "")])
    assert world.given.store.deliveries.owed() == ()


@pytest.mark.parametrize("part", ["/permission", "/memberships"])
def test_nothing_is_done_where_the_forge_refuses_to_say_who_may(world: World, part: str) -> None:
    there = host(world)
    restrict(world, "staging", TEAM)
    there.refuses = (part,)
    assert ask(world, comment("/deploy staging", by="grace")) == []
    assert (queued(world), there.signs) == ([], ["confused"])
    assert there.replies == [
        "The forge did not say what is needed for this, so nothing was done. The deployer's log says why."
    ]
    assert decisions(world) == [("refused", "grace", "")]


def test_a_team_that_cannot_be_asked_for_does_not_hide_another(world: World) -> None:
    host(world)
    restrict(world, "staging", "acme/nonsense/here", TEAM)
    assert ask(world, comment("/deploy staging", by="grace")) == [STAGING]


def test_a_forge_that_wants_a_pause_is_asked_nothing_until_it_is_over(world: World) -> None:
    world.forge.answer = Answer(403, {"message": "secondary rate limit"}, {"Retry-After": "300"})
    first = send(world, comment("/deploy staging"))
    assert plan_delivery(world.given, "github", first) == []
    assert world.given.store.posted.hushed("github") > 290
    there, asked = host(world), len(world.forge.requests)
    world.clock.move(100)
    second = send(world, comment("/deploy production"))
    assert plan_delivery(world.given, "github", second) == []
    assert len(world.forge.requests) == asked
    assert world.given.store.deliveries.owed(before=after(390)) == (("github", first),)
    world.given.store.posted.hush("github", seconds=0)
    time.sleep(0.01)
    world.clock.move(310)
    assert plan_all(world.given) == [PRODUCTION, STAGING]
    assert there.signs == ["rocket", "rocket"]


# Twice


def test_an_answer_that_is_lost_is_given_later_and_nothing_is_deployed_twice(world: World) -> None:
    there = host(world)
    there.down = ("/comments",)
    delivery = send(world, comment("/deploy staging"))
    plan_delivery(world.given, "github", delivery)
    first = world.latest(STAGING, world.first).id
    world.deploy(STAGING)
    assert world.latest(STAGING, world.first).state in (State.ROLLING_OUT, State.SUCCEEDED)
    there.down = ()
    plan_delivery(world.given, "github", delivery)
    assert world.latest(STAGING, world.first).id == first
    assert there.signs == ["rocket"]


def test_asked_twice_it_joins(world: World) -> None:
    host(world)
    ask(world, comment("/deploy staging"))
    ask(world, comment("/deploy staging", by="grace"))
    assert len(queued(world)) == 1


def test_a_request_that_takes_no_comment_is_deployed_without_an_answer(world: World) -> None:
    host(world).refuses = ("/comments",)
    assert ask(world, comment("/deploy staging")) == [STAGING]
    assert decisions(world) == [("granted", "ada", "")]


@pytest.mark.parametrize(("kind", "signs"), [(ForgeKind.GITHUB, "/reactions"), (ForgeKind.GITLAB, "/award_emoji")])
def test_a_sign_that_is_refused_keeps_back_no_words(world: World, kind: ForgeKind, signs: str) -> None:
    there = host(world, kind=kind)
    there.refuses = (signs,)
    assert ask(world, comment("/deploy staging", kind=kind)) == [STAGING]
    assert len(there.replies) == 1


# What is asked for


@pytest.mark.parametrize(
    ("text", "state", "words"),
    [
        ("/deploy", "open", "One environment, please"),
        ("/deploy staging production", "open", "One environment, please"),
        ("/deploy stagign", "open", "no environment `stagign` here. Environments: `production`, `staging`"),
        ("/deploy staging", "closed", "closed without a merge"),
        ("/diff staging production", "open", "One environment or none"),
        ("/diff stagign", "open", "no environment `stagign`"),
        ("/diff", "merged", "not open any more"),
        ("/replay", "open", "not merged"),
        ("/replay staging", "merged", "takes no name"),
        ("/replay", "merged", "was deployed nowhere"),
    ],
)
def test_what_makes_no_sense_is_explained(world: World, text: str, state: str, words: str) -> None:
    there = host(world)
    there.state, there.merged_as = state, world.first
    assert ask(world, comment(text)) == []
    assert (queued(world), there.signs) == ([], ["confused"])
    assert words in there.replies[0]
    assert decisions(world) == [("refused", "ada", "")]


def test_a_request_for_another_branch_is_told_which_ones_deploy(world: World) -> None:
    there = host(world)
    there.base = "develop"
    ask(world, comment("/help"))
    assert there.replies == ["Nothing is deployed from the branch of this request, only from `main`."]


def test_help_names_the_commands_and_the_environments(world: World) -> None:
    there = host(world)
    restrict(world, "production", TEAM)
    ask(world, comment("/help"))
    (reply,) = there.replies
    assert all(f"`/{name}" in reply for name in ("deploy", "diff", "replay", "help"))
    assert reply.endswith("Environments: `production` (only for some), `staging`")
    assert there.signs == ["+1"]


def test_on_a_merged_request_the_branch_may_be_further_and_that_is_said(world: World) -> None:
    there = host(world)
    merged(there, world.first)
    tip = world.commit("ahoy")
    ask(world, comment("/deploy staging"))
    assert queued(world)[0][1] == tip
    assert f"which was merged as {world.first}" in there.replies[0]


def test_a_repository_that_is_gone_is_said(world: World) -> None:
    there = host(world)
    world.repository.rename(world.repository.parent / "gone")
    ask(world, comment("/deploy staging"))
    assert there.signs == ["confused"]
    assert "acme/shop" in there.replies[0]


# /diff


@pytest.mark.parametrize(("text", "asked"), [("/diff staging", ("staging",)), ("/diff", ("production", "staging"))])
def test_a_preview_is_asked_for_by_whoever_can_write(world: World, text: str, asked: tuple[str, ...]) -> None:
    there = host(world)
    restrict(world, "staging", TEAM)
    assert ask(world, comment(text)) == []
    wanted = world.given.store.previews.get(PullRequestKey("github", "acme/shop", 15))
    assert wanted is not None
    assert (wanted.asked, wanted.head) == (asked, "e" * 40)
    assert (there.signs, there.replies) == (["+1"], [])


# /replay


def test_a_replay_goes_where_the_merge_went(world: World) -> None:
    there = host(world)
    world.plan(world.first)
    world.deploy(STAGING)
    merged(there, world.first)
    world.clock.move(60)
    assert STAGING in ask(world, comment("/replay"))
    again = world.latest(STAGING, world.first)
    assert (again.trigger, again.actor, again.state) == (Trigger.REPLAY, "ada", State.QUEUED)
    assert [line.split(":")[0] for line in there.replies[0].splitlines()] == ["- `production`", "- `staging`"]


def test_a_replay_of_an_old_merge_moves_nothing_back_and_says_how_to(world: World) -> None:
    there = host(world)
    world.plan(world.first)
    world.deploy(STAGING)
    newer = world.commit("newer")
    world.plan(newer)
    world.deploy(STAGING)
    merged(there, world.first)
    ask(world, comment("/replay"))
    assert world.latest(STAGING, world.first).state is State.SUPERSEDED
    assert world.given.store.environments.get(STAGING).deployed == newer
    assert "--allow-rollback" in there.replies[0]


def test_a_replay_leaves_out_what_the_person_may_not_deploy(world: World) -> None:
    there = host(world)
    world.plan(world.first)
    for key in (STAGING, PRODUCTION):
        world.deploy(key)
    restrict(world, "production", TEAM)
    merged(there, world.first)
    world.clock.move(60)
    assert ask(world, comment("/replay")) == [STAGING]
    assert decisions(world) == [("refused", "ada", "production"), ("granted", "ada", "")]
    assert "`production` is deployed only by those" in there.replies[0]


def test_no_answer_begins_with_a_command(world: World) -> None:
    there = host(world)
    for text in ("/help", "/deploy staging", "/deploy", "/diff x", "/replay"):
        ask(world, comment(text))
    assert len(there.replies) == 5
    assert [read_command(reply) for reply in there.replies] == [None] * 5
