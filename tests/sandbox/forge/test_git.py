from __future__ import annotations

from pathlib import Path

import pytest

from deployer.sandbox.forge import Invalid, MergeMethod, NotFound, NotMergeable, SandboxForge
from deployer.sandbox.forge.git import BareRepository
from tests import repositories
from tests.sandbox.forge.conftest import SHOP


def created(path: Path) -> BareRepository:
    repo = BareRepository(path)
    repo.create("main")
    repo.commit("main", {"a": "1\n", "b": "1\n"}, message="First", author="ada")
    return repo


@pytest.fixture
def repo(tmp_path: Path) -> BareRepository:
    return created(tmp_path / "shop.git")


@pytest.fixture(scope="module")
def quiet_repo(tmp_path_factory: pytest.TempPathFactory) -> BareRepository:
    """For tests that change nothing."""
    return created(tmp_path_factory.mktemp("quiet") / "shop.git")


def propose(repo: BareRepository, branch: str, changes: dict[str, str | None]) -> str:
    return repo.commit(branch, changes, message=f"Change {branch}", author="grace", parent=repo.tip("main"))


def files(repo: BareRepository, revision: str) -> list[str]:
    return repositories.git(repo.path, "ls-tree", "-r", "--name-only", revision).splitlines()


def test_a_real_git_clones_what_was_created(forge: SandboxForge, tmp_path: Path) -> None:
    repositories.git(tmp_path, "clone", "--quiet", forge.clone_url(SHOP), "work")
    assert (tmp_path / "work/replicas").read_text() == "2\n"
    assert repositories.git(tmp_path / "work", "symbolic-ref", "HEAD") == "refs/heads/main"


def test_a_single_commit_is_served_although_no_branch_ends_with_it(forge: SandboxForge, tmp_path: Path) -> None:
    first = forge.tip(SHOP)
    forge.push(SHOP, {"replicas": "3\n"}, message="Raise")
    repositories.create(tmp_path / "work")
    repositories.git(tmp_path / "work", "fetch", "--quiet", "--depth=1", forge.clone_url(SHOP), first)
    assert repositories.git(tmp_path / "work", "rev-parse", "FETCH_HEAD") == first


def test_the_head_of_a_pull_request_can_be_fetched(forge: SandboxForge, tmp_path: Path) -> None:
    pull = forge.open_pull_request(SHOP, "More", branch="more", changes={"replicas": "3\n"}, author="ada")
    listed = repositories.git(tmp_path, "ls-remote", forge.clone_url(SHOP), "refs/pull/1/head")
    assert listed.split() == [pull.head, "refs/pull/1/head"]


def test_the_repository_is_sound_after_commits_and_merges(repo: BareRepository) -> None:
    head = propose(repo, "more", {"c": "1\n"})
    repo.merge("main", head, method=MergeMethod.MERGE, message="Merge more", author="ada")
    assert repositories.git(repo.path, "fsck", "--strict", "--no-progress") == ""
    assert not (repo.path / "worktrees").exists()


def test_a_merge_has_both_parents_and_the_changes_of_both(repo: BareRepository) -> None:
    before, head = repo.tip("main"), propose(repo, "more", {"c": "1\n"})
    repo.commit("main", {"d": "1\n"}, message="Meanwhile", author="ada", parent=before)
    meanwhile = repo.tip("main")
    merged = repo.merge("main", head, method=MergeMethod.MERGE, message="Merge more", author="ada").after
    assert repo.show(merged).parents == (meanwhile, head)
    assert files(repo, "main") == ["a", "b", "c", "d"]


def test_a_merge_commit_is_made_even_where_a_fast_forward_would_do(repo: BareRepository) -> None:
    head = propose(repo, "more", {"c": "1\n"})
    merged = repo.merge("main", head, method=MergeMethod.MERGE, message="Merge more\n\nBody", author="ada").after
    commit = repo.show(merged)
    assert (len(commit.parents), commit.title, commit.body, commit.author) == (2, "Merge more", "Body", "ada")


def test_a_squash_makes_one_commit_on_the_branch(repo: BareRepository) -> None:
    before, head = repo.tip("main"), propose(repo, "more", {"c": "1\n"})
    merged = repo.merge("main", head, method=MergeMethod.SQUASH, message="More (#1)", author="ada").after
    assert (repo.show(merged).parents, files(repo, merged)) == ((before,), ["a", "b", "c"])


def test_a_fast_forward_makes_no_commit(repo: BareRepository) -> None:
    head = propose(repo, "more", {"c": "1\n"})
    moved = repo.merge("main", head, method=MergeMethod.FAST_FORWARD, message="unused", author="ada")
    assert moved.after == head == repo.tip("main")


def test_a_fast_forward_that_is_none_is_refused(repo: BareRepository) -> None:
    head = propose(repo, "more", {"c": "1\n"})
    after = repo.commit("main", {"d": "1\n"}, message="Meanwhile", author="ada", parent=repo.tip("main"))
    with pytest.raises(NotMergeable, match="fast-forward"):
        repo.merge("main", head, method=MergeMethod.FAST_FORWARD, message="unused", author="ada")
    assert repo.tip("main") == after


@pytest.mark.parametrize("method", [MergeMethod.MERGE, MergeMethod.SQUASH])
def test_a_conflict_names_the_file_and_leaves_the_branch_as_it_was(repo: BareRepository, method: MergeMethod) -> None:
    head = propose(repo, "more", {"a": "theirs\n"})
    before = repo.commit("main", {"a": "ours\n"}, message="Ours", author="ada", parent=repo.tip("main"))
    with pytest.raises(NotMergeable, match="conflict in a; rebase the branch"):
        repo.merge("main", head, method=method, message="unused", author="ada")
    assert repo.tip("main") == before
    assert not (repo.path / "worktrees").exists()


def test_a_deleted_file_is_gone_and_named_as_removed(repo: BareRepository) -> None:
    before = repo.tip("main")
    after = repo.commit("main", {"a": None, "b": "2\n", "c": "1\n"}, message="x", author="ada", parent=before)
    touched = repo.touched(before, after)
    assert (touched.added, touched.removed, touched.modified) == (("c",), ("a",), ("b",))


def test_a_commit_comes_back_as_it_was_written(repo: BareRepository) -> None:
    sha = repo.commit("main", {"a": "ü\n"}, message="Größe\n\nzwei\nZeilen", author="Zoë", parent=repo.tip("main"))
    commit = repo.show(sha)
    assert (commit.title, commit.body, commit.author) == ("Größe", "zwei\nZeilen", "Zoë")
    assert "+ü" in repo.diff(commit.parents[0], sha)


@pytest.mark.parametrize(
    "path",
    [
        "../out",
        "/etc/passwd",
        "a/../../b",
        "",
        ".",
        "a//b",
        "a/",
        ".git/hooks/post-update",
        "x/.GIT/config",
        'a"b',
        "a\nb",
        "a\\b",
    ],
)
def test_a_path_that_leaves_the_repository_is_refused(quiet_repo: BareRepository, path: str) -> None:
    before = quiet_repo.tip("main")
    with pytest.raises(Invalid, match="path"):
        quiet_repo.commit("main", {path: "x"}, message="x", author="ada", parent=before)
    assert quiet_repo.tip("main") == before


@pytest.mark.parametrize(
    "branch", ["", "-x", "a..b", "a b", "a.lock", "refs/../x", "a/", "x\n", "a~1", "/a", "a//b", "@{-1}"]
)
def test_a_branch_that_git_would_not_take_is_refused(quiet_repo: BareRepository, branch: str) -> None:
    with pytest.raises(Invalid, match="branch"):
        quiet_repo.commit(branch, {"a": "x"}, message="x", author="ada", parent=quiet_repo.tip("main"))


@pytest.mark.parametrize("author", ["", "a\nb", "a <b>", "x\0"])
def test_an_author_that_would_spoil_the_commit_is_refused(quiet_repo: BareRepository, author: str) -> None:
    with pytest.raises(Invalid, match="author"):
        quiet_repo.commit("main", {"a": "x"}, message="x", author=author, parent=quiet_repo.tip("main"))


def test_a_message_cannot_smuggle_commands_into_the_import(repo: BareRepository) -> None:
    message = "x\nM 100644 inline evil\ndata 1\n!\n"
    sha = repo.commit("main", {"a": "2\ndeleteall\n"}, message=message, author="ada", parent=repo.tip("main"))
    assert files(repo, sha) == ["a", "b"]


@pytest.mark.parametrize(
    "name", ["--all", "HEAD", "main~1", "main^{tree}", "0" * 40, "", "no-such", ":/First", "refs/heads/main"]
)
def test_only_commits_and_branches_are_found(quiet_repo: BareRepository, name: str) -> None:
    with pytest.raises(NotFound):
        quiet_repo.full(name)


def test_a_commit_is_found_by_its_branch_and_by_an_abbreviation(quiet_repo: BareRepository) -> None:
    tip = quiet_repo.tip("main")
    assert {quiet_repo.full("main"), quiet_repo.full(tip), quiet_repo.full(tip[:7])} == {tip}
    with pytest.raises(NotFound):
        quiet_repo.verified(tip[:12])


def test_configuration_and_hooks_of_the_machine_are_not_used(
    repo: BareRepository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tmp_path / "gitconfig"
    config.write_text("[user]\nname = Mallory\n[commit]\ngpgsign = true\n[merge]\nff = only\n")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(config))
    monkeypatch.setenv("GIT_AUTHOR_NAME", "Mallory")
    hook = repo.path / "hooks" / "reference-transaction"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\nexit 1\n")
    hook.chmod(0o755)
    head = propose(repo, "more", {"c": "1\n"})
    merged = repo.merge("main", head, method=MergeMethod.MERGE, message="Merge", author="ada").after
    assert repo.show(merged).author == "ada"


def test_a_push_from_outside_is_seen(forge: SandboxForge, tmp_path: Path) -> None:
    repositories.git(tmp_path, "clone", "--quiet", forge.clone_url(SHOP), "work")
    repositories.git(tmp_path / "work", "commit", "--quiet", "--allow-empty", "--message", "By hand")
    repositories.git(tmp_path / "work", "push", "--quiet", "origin", "main")
    assert forge.tip(SHOP) == repositories.git(tmp_path / "work", "rev-parse", "HEAD")


def test_git_that_is_not_installed_is_said(
    quiet_repo: BareRepository, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(FileNotFoundError, match="git is not on PATH; install it"):
        quiet_repo.log("main")
