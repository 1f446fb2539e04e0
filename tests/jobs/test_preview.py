from __future__ import annotations

import secrets
from collections.abc import Mapping
from pathlib import Path

import pytest

from deployer.cluster.connection import connect
from deployer.model import (
    JSON,
    Environment,
    EnvironmentKey,
    Ignored,
    PullRequestAction,
    PullRequestEvent,
    PullRequestKey,
    State,
)
from deployer.preview import Foreseen, foresee
from deployer.settings import ClusterSettings, FileSecret
from deployer.store.previews import Said
from jobs.preview import preview_owed
from jobs.proposal import ask
from jobs.sweep import sweep_with
from tests import repositories
from tests.examples import after
from tests.forges.recording import Answer, Request, created
from tests.jobs.asking import ask as tell
from tests.jobs.asking import host
from tests.jobs.world import SHOP, World, config_map
from tests.webhooks.deliveries import edit, recorded

STAGING = EnvironmentKey("github", SHOP, "staging")
REQUEST = PullRequestKey("github", SHOP, 12)
Files = Mapping[str, str | bytes | Path | None]


@pytest.fixture(autouse=True)
def answers(world: World) -> None:
    """A forge on which nobody has commented yet."""
    people = {"/user": {"login": "deployer"}, "/repos/acme/shop/issues/12/comments": []}

    def answer(request: Request) -> Answer:
        return (
            Answer(200, people[request.route])
            if request.method == "GET" and request.route in people
            else created(request)
        )

    world.forge.answer = answer


def propose(world: World, files: Files) -> str:
    """A pull request that changes files, as the forge keeps it; gives its head."""
    git = repositories.git
    git(world.repository, "checkout", "--quiet", "-B", "work", "main")
    head = repositories.commit(world.repository, files, "Propose")
    git(world.repository, "update-ref", "refs/pull/12/head", head)
    git(world.repository, "checkout", "--quiet", "main")
    return head


def event(head: str, *, fork: bool = False, action: PullRequestAction = PullRequestAction.OPENED) -> PullRequestEvent:
    return PullRequestEvent(SHOP, 12, "main", head, action, fork, draft=False)


def show(world: World, head: str) -> None:
    assert ask(world.given, "github", event(head)) is None
    preview_owed(world.given)


def deployed(world: World, commit: str) -> None:
    world.plan(commit)
    for name in ("staging", "production"):
        world.deploy(EnvironmentKey("github", SHOP, name))


def statuses(world: World) -> list[tuple[str, str, str]]:
    posts = [each.json for each in world.forge.requests if each.method == "POST" and "/statuses/" in each.path]
    return [(each["context"], each["state"], each["description"]) for each in posts if "preview" in each["context"]]


def comments(world: World) -> list[str]:
    return [each.json["body"] for each in world.forge.requests if "/comments" in each.path and each.method != "GET"]


def say(text: str, *names: str) -> Files:
    return {f"{name}/config.yaml": config_map(text) for name in names or ("staging",)}


def test_a_request_says_what_merging_it_would_change(world: World) -> None:
    deployed(world, world.first)
    show(world, propose(world, say("goodbye")))
    assert ("preview/staging", "success", "1 to change") in statuses(world)
    assert ("preview/production", "success", "nothing to change") in statuses(world)
    (said,) = comments(world)
    assert "-  text: hello" in said
    assert "+  text: goodbye" in said
    assert "| `staging` | 0 | 1 | 0 | 0 |  |" in said
    assert world.given.store.previews.owed(before=world.clock()) == ()


def test_the_second_push_rewrites_the_comment(world: World) -> None:
    deployed(world, world.first)
    show(world, propose(world, say("goodbye")))
    show(world, propose(world, say("hi")))
    assert len(comments(world)) == 2
    assert [each.method for each in world.forge.requests if "/comments" in each.path][-1] == "PATCH"


def test_a_request_that_changes_nothing_gets_no_comment(world: World) -> None:
    deployed(world, world.first)
    show(world, propose(world, {"README.md": "Hello\n"}))
    assert comments(world) == []
    assert {each[2] for each in statuses(world)} == {"nothing to change"}


def test_the_merge_with_the_base_is_rendered_and_not_the_head(world: World) -> None:
    head = propose(world, say("goodbye"))
    newer = repositories.commit(world.repository, say("newer", "production"))
    deployed(world, newer)
    show(world, head)
    assert ("preview/production", "success", "nothing to change") in statuses(world)


def test_a_conflict_is_said_and_names_the_file(world: World) -> None:
    head = propose(world, say("goodbye"))
    repositories.commit(world.repository, say("hi"))
    show(world, head)
    (said,) = comments(world)
    assert "both sides changed staging/config.yaml" in said
    assert f"`{head[:12]} cannot be merged into main at" in said
    assert "beside what is live" not in said
    assert [each[:2] for each in statuses(world)] == [("preview/staging", "failure")]


@pytest.mark.parametrize("asked", [("staging",), ()])
def test_a_conflict_beside_the_overlays_is_said_to_whoever_asks_and_where_there_is_a_comment(
    world: World, asked: tuple[str, ...]
) -> None:
    deployed(world, world.first)
    head = propose(world, {"README.md": "theirs\n"})
    repositories.commit(world.repository, {"README.md": "ours\n"}, "Meanwhile")
    world.given.store.previews.say(REQUEST, "comment", Said("1", ""))
    assert ask(world.given, "github", event(head), environments=asked) is None
    preview_owed(world.given)
    (said,) = (each.json["body"] for each in world.forge.requests if each.method == "PATCH")
    assert "changes nothing" not in said
    assert f"`{head[:12]} cannot be merged into main at" in said
    assert ("both sides changed README.md" if asked else "**This cannot be merged yet.**") in said
    assert [each[:2] for each in statuses(world)] == [(f"preview/{name}", "failure") for name in asked]


def test_one_environment_that_cannot_be_rendered_leaves_the_others(world: World) -> None:
    deployed(world, world.first)
    broken = {"production/kustomization.yaml": "resources: [nowhere.yaml]\n"}
    show(world, propose(world, {**say("goodbye"), **broken}))
    found = {context: (state, text) for context, state, text in statuses(world)}
    assert found["preview/staging"] == ("success", "1 to change")
    assert found["preview/production"][0] == "failure"
    assert "render" in found["preview/production"][1]


def test_one_environment_that_we_cannot_cope_with_leaves_the_others(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def breaks(environment: Environment, *arguments: object, **options: object) -> Foreseen:
        if environment.key == STAGING:
            raise ValueError
        return foresee(environment, *arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr("jobs.preview.foresee", breaks)
    deployed(world, world.first)
    show(world, propose(world, say("ahoy", "staging", "production")))
    told = {context: (state, description) for context, state, description in statuses(world)}
    assert told["preview/staging"][0] == "failure"
    assert "internal error (ValueError)" in told["preview/staging"][1]
    assert told["preview/production"][0] == "success"


def test_what_would_be_deleted_stands_first(world: World) -> None:
    kustomization = (world.repository / "staging/kustomization.yaml").read_text()
    extra = config_map("bye").replace("greeting", "farewell")
    both = kustomization.replace("[config.yaml]", "[config.yaml, more.yaml]")
    more = repositories.commit(world.repository, {"staging/kustomization.yaml": both, "staging/more.yaml": extra})
    deployed(world, more)
    show(world, propose(world, {"staging/kustomization.yaml": kustomization, "staging/more.yaml": None}))
    (said,) = comments(world)
    assert said.index("**1 to be deleted**") < said.index("| environment |")
    assert "farewell" in said.partition("| environment |")[0]


def test_no_value_of_a_secret_is_shown(world: World) -> None:
    value = secrets.token_hex(8)
    manifest = f"apiVersion: v1\nkind: Secret\nmetadata: {{name: key}}\nstringData: {{password: {value}}}\n"
    show(world, propose(world, {"staging/config.yaml": manifest}))
    assert value not in "".join(comments(world))
    _, text = world.given.store.previews.page(world.given.store.previews.page_id(REQUEST)) or ("", "")
    assert "Secret" in text
    assert value not in text


def test_nothing_is_written_to_the_cluster(world: World) -> None:
    show(world, propose(world, say("goodbye")))
    assert world.given.store.environments.get(STAGING).deployed is None
    show(world, propose(world, say("hi")))
    assert ("preview/staging", "success", "1 to create") in statuses(world)


def test_a_fork_is_not_even_fetched(world: World) -> None:
    head = propose(world, say("goodbye"))
    assert isinstance(ask(world.given, "github", event(head, fork=True)), Ignored)
    preview_owed(world.given)
    assert world.forge.requests == []
    assert not (world.given.data / "mirrors").exists()


def test_an_older_preview_ends_when_something_newer_is_pushed(world: World) -> None:
    head = propose(world, say("goodbye"))
    ask(world.given, "github", event(head))
    wanted = world.given.store.previews.get(REQUEST)
    assert wanted is not None
    newer = propose(world, say("hi"))
    ask(world.given, "github", event(newer))
    assert not world.given.store.previews.is_current(wanted)
    world.given.store.previews.done(wanted)
    preview_owed(world.given)
    (said,) = comments(world)
    assert "text: hi" in said


def test_a_head_that_is_not_there_yet_is_waited_for(world: World) -> None:
    propose(world, say("goodbye"))
    host(world).number = 12
    ask(world.given, "github", event("e" * 40))
    preview_owed(world.given)
    assert [each.method for each in world.forge.requests] == ["GET"]
    world.clock.move(120)
    assert world.given.store.previews.owed(before=world.clock()) == (REQUEST,)


def test_a_request_that_goes_to_a_branch_without_environments_has_no_preview_any_more(world: World) -> None:
    deployed(world, world.first)
    head = propose(world, say("goodbye"))
    show(world, head)
    there = host(world)
    there.number, there.base = 12, "develop"
    moved = edit(recorded("github_pull_request_base_changed"), "pull_request.base.ref", "develop")
    for path, value in {
        "repository.full_name": SHOP,
        "pull_request.number": 12,
        "changes.base.ref.from": "main",
    }.items():
        moved = edit(moved, path, value)
    assert tell(world, moved) == []
    preview_owed(world.given)
    (said,) = there.rewritten
    assert said.endswith(f"There is no preview of `{'e' * 12}`:** `branch develop of {SHOP} has no previews`")
    assert world.given.store.previews.requests("github", SHOP, at=world.clock()) == ()
    assert world.given.store.previews.owed(before=after(10_000)) == ()


def test_a_closed_request_is_forgotten_by_the_mirror(world: World) -> None:
    head = propose(world, say("goodbye"))
    show(world, head)
    ask(world.given, "github", event(head, action=PullRequestAction.CLOSED))
    preview_owed(world.given)
    assert world.given.store.previews.requests("github", SHOP, at=world.clock()) == ()


def test_the_deployment_says_that_it_is_what_was_previewed(world: World) -> None:
    show(world, propose(world, say("goodbye")))
    merged = repositories.merge(world.repository, "work", "Merge pull request #12 from acme/work")
    deployed(world, merged)
    found = world.latest(STAGING, merged)
    assert found.summary.endswith("; as previewed in #12")
    assert any("as previewed in #12" in line for line in world.given.store.deployments.log_lines(found.id))


def test_the_deployment_says_that_it_is_not_what_was_previewed(world: World) -> None:
    show(world, propose(world, say("goodbye")))
    more = {"staging/kustomization.yaml": "namePrefix: other-\nresources: [config.yaml]\n"}
    repositories.commit(world.repository, more, "Meanwhile")
    merged = repositories.merge(world.repository, "work", "Merge pull request #12 from acme/work")
    deployed(world, merged)
    assert world.latest(STAGING, merged).summary.endswith("; differs from what was previewed in #12")


@pytest.mark.parametrize("previewed", [True, False])
def test_what_was_not_previewed_is_held_where_that_is_required(world: World, previewed: bool) -> None:
    for entry in world.given.settings.repositories:
        entry.environments["staging"] = entry.environments["staging"].model_copy(update={"require_preview_match": True})
    show(world, propose(world, say("goodbye")))
    if not previewed:
        repositories.commit(world.repository, {**say("else"), "x": "y"})
        merged = repositories.tip(world.repository)
    else:
        merged = repositories.merge(world.repository, "work", "Merge pull request #12 from acme/work")
    deployed(world, merged)
    found = world.latest(STAGING, merged)
    assert (found.state is State.HELD) is not previewed
    if not previewed:
        assert f"deployer deploy {SHOP} staging --commit {merged}" in found.summary


def test_a_preview_that_nobody_makes_is_found_by_the_sweep(world: World) -> None:
    ask(world.given, "github", event(propose(world, say("goodbye"))))
    world.given.queues._checks.empty()
    world.clock.move(60)
    sweep_with(world.given)
    assert world.given.queues.depths()["checks"] == 1


def test_of_an_object_that_is_not_the_environments_yet_nothing_is_shown_but_that_it_is_there(
    world: World, sandbox_kubeconfig: Path
) -> None:
    deployed(world, world.first)
    hidden, namespace = secrets.token_hex(8), world.given.settings.environment(STAGING).namespace
    theirs: dict[str, JSON] = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "theirs", "annotations": {"owner": hidden}},
        "data": {"text": hidden, "untouched": hidden},
    }
    with connect(ClusterSettings(kubeconfig=FileSecret(file=sandbox_kubeconfig))) as connection:
        path = f"/api/v1/namespaces/{namespace}/configmaps"
        query = {"fieldManager": "somebody"}
        assert connection.request("POST", path, body=theirs, query=query).status == 201
    show(world, propose(world, {"staging/config.yaml": config_map("goodbye").replace("greeting", "theirs")}))
    (said,) = comments(world)
    _, text = world.given.store.previews.page(world.given.store.previews.page_id(REQUEST)) or ("", "")
    for shown in (said, text):
        assert "in the cluster already, and not of this environment yet; it would be taken over" in shown
        assert hidden not in shown
        assert "somebody" not in shown
    assert "| `staging` | 0 | 1 | 1 | 0 |  |" in said


def test_one_that_is_not_the_environments_and_cannot_be_taken_over_is_not_told_either(
    world: World, sandbox_kubeconfig: Path
) -> None:
    deployed(world, world.first)
    hidden, namespace = secrets.token_hex(8), world.given.settings.environment(STAGING).namespace
    for entry in world.given.settings.repositories:
        changed = entry.environments["staging"].model_copy(update={"on_conflict": "fail"})
        entry.environments["staging"] = changed
    theirs: dict[str, JSON] = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "theirs"}}
    with connect(ClusterSettings(kubeconfig=FileSecret(file=sandbox_kubeconfig))) as connection:
        path = f"/api/v1/namespaces/{namespace}/configmaps"
        query = {"fieldManager": "somebody"}
        assert connection.request("POST", path, body={**theirs, "data": {"text": hidden}}, query=query).status == 201
    show(world, propose(world, {"staging/config.yaml": config_map("goodbye").replace("greeting", "theirs")}))
    (said,) = comments(world)
    assert "refused: in the cluster already, and not of this environment yet; it cannot be taken over" in said
    assert hidden not in said
    assert "somebody" not in said
