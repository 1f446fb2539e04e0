from __future__ import annotations

import secrets
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from deployer.model import Permanent, Temporary
from deployer.source import aside
from deployer.source.merging import Conflict
from deployer.source.mirror import Mirror
from deployer.source.remote import Remote
from tests import repositories
from tests.source.git_server import git_server

REQUEST = "refs/pull/7/head"


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    made = repositories.create(tmp_path / "origin")
    repositories.commit(made, {"a": "1\n", "b": "1\n"}, "Begin")
    return made


@pytest.fixture
def mirror(tmp_path: Path, repository: Path) -> Mirror:
    return Mirror(tmp_path / "mirror.git", repositories.url(repository))


def request(repository: Path, files: dict[str, str | bytes | Path | None], *, number: int = 7) -> str:
    """A request as a forge keeps it, for a branch that nobody else sees; `main` is where it was afterwards."""
    repositories.git(repository, "checkout", "--quiet", "-B", "work", "main")
    head = repositories.commit(repository, files, "Propose")
    repositories.git(repository, "update-ref", f"refs/pull/{number}/head", head)
    repositories.git(repository, "checkout", "--quiet", "main")
    repositories.git(repository, "branch", "--quiet", "-D", "work")
    return head


def both(mirror: Mirror) -> tuple[str, str]:
    return mirror.fetch("main"), mirror.merging.fetch(7, ref=REQUEST)


def test_the_result_has_what_both_sides_changed(repository: Path, mirror: Mirror) -> None:
    head = request(repository, {"a": "request\n"})
    tip = repositories.commit(repository, {"b": "main\n"})
    base, fetched = both(mirror)
    assert (base, fetched) == (tip, head)
    merged = mirror.merging.merge(7, base=base, head=head)
    root = mirror.snapshot(merged.commit)
    hashes = {name: root.follow(name).entry.hash for name in ("a", "b")}  # type: ignore[union-attr]
    contents = mirror.texts(hashes.values(), largest=100)
    assert {name: contents[hash_] for name, hash_ in hashes.items()} == {"a": b"request\n", "b": b"main\n"}


def test_the_same_two_commits_always_merge_to_the_same_one(tmp_path: Path, repository: Path, mirror: Mirror) -> None:
    head = request(repository, {"a": "request\n"})
    repositories.commit(repository, {"b": "main\n"})
    other = Mirror(tmp_path / "other.git", repositories.url(repository))
    made = [each.merging.merge(7, base=both(each)[0], head=head) for each in (mirror, other, mirror)]
    assert len(set(made)) == 1


def test_the_result_is_never_deployable(repository: Path, mirror: Mirror) -> None:
    head = request(repository, {"a": "request\n"})
    base, _ = both(mirror)
    merged = mirror.merging.merge(7, base=base, head=head)
    for commit in (merged.commit, head):
        with pytest.raises(Permanent, match="does not contain it"):
            mirror.ensure(commit, branch="main")


def test_a_conflict_names_its_files(repository: Path, mirror: Mirror) -> None:
    names = [f"file {number}" for number in range(8)]
    repositories.commit(repository, dict.fromkeys(names, "1\n"))
    head = request(repository, dict.fromkeys(names, "request\n"))
    repositories.commit(repository, dict.fromkeys(names, "main\n"))
    base, _ = both(mirror)
    with pytest.raises(Conflict, match=r"both sides changed file 0, .*, file 4 and 3 more: merge"):
        mirror.merging.merge(7, base=base, head=head)


def test_a_history_of_its_own_is_refused(repository: Path, mirror: Mirror) -> None:
    repositories.git(repository, "checkout", "--quiet", "--orphan", "other")
    head = repositories.commit(repository, {"c": "1\n"})
    repositories.git(repository, "update-ref", REQUEST, head)
    repositories.git(repository, "checkout", "--quiet", "main")
    base, _ = both(mirror)
    with pytest.raises(Permanent, match="unrelated histories"):
        mirror.merging.merge(7, base=base, head=head)


def test_what_is_in_the_branch_already_changes_nothing(repository: Path, mirror: Mirror) -> None:
    old = repositories.tip(repository)
    repositories.git(repository, "update-ref", REQUEST, old)
    repositories.commit(repository, {"a": "main\n"})
    base, head = both(mirror)
    merged = mirror.merging.merge(7, base=base, head=head)
    assert mirror.snapshot(merged.commit).follow("").entry == mirror.snapshot(base).follow("").entry


def test_a_merge_driver_that_the_repository_names_does_not_run(
    tmp_path: Path, repository: Path, mirror: Mirror
) -> None:
    trace = tmp_path / secrets.token_hex(4)
    repositories.commit(repository, {".gitattributes": "* merge=evil filter=evil\n"})
    head = request(repository, {"a": "request\n"})
    repositories.commit(repository, {"a": "main\n"})
    repositories.git(repository, "config", "merge.evil.driver", f"touch {trace}")
    base, _ = both(mirror)
    with pytest.raises(Conflict):
        mirror.merging.merge(7, base=base, head=head)
    assert not trace.exists()


def test_a_request_that_is_not_there_yet_is_tried_again(mirror: Mirror) -> None:
    mirror.fetch("main")
    with pytest.raises(Temporary, match=r"fetching refs/pull/7/head"):
        mirror.merging.fetch(7, ref=REQUEST)


@pytest.mark.parametrize("ref", ["refs/heads/main", "refs/pull/0/head", "--upload-pack=x", "refs/pull/7/head\n", "x:y"])
def test_nothing_but_a_request_is_fetched(mirror: Mirror, ref: str) -> None:
    with pytest.raises(Permanent, match="is not what a forge calls a request"):
        mirror.merging.fetch(7, ref=ref)


def test_requests_that_are_over_are_forgotten(tmp_path: Path, repository: Path, mirror: Mirror) -> None:
    head = request(repository, {"a": "request\n"})
    request(repository, {"b": "request\n"}, number=8)
    base, _ = both(mirror)
    mirror.merging.merge(7, base=base, head=head)
    mirror.merging.fetch(8, ref="refs/pull/8/head")
    mirror.merging.keep_only([8])
    kept = repositories.git(tmp_path / "mirror.git", "for-each-ref", "--format=%(refname)", "refs/deployer")
    assert kept == "refs/deployer/requests/8/head"


def test_a_request_that_takes_long_to_fetch_keeps_no_branch_from_being_fetched(
    tmp_path: Path, repository: Path
) -> None:
    with git_server(tmp_path) as server:
        url = f"{server.url}/origin/.git"
        mirror = Mirror(tmp_path / "mirror.git", url)
        mirror.fetch("main")
        head = request(repository, {"large": secrets.token_bytes(2_000_000)})
        server.stall_after = 500_000
        with ThreadPoolExecutor(1) as threads:
            slow = threads.submit(Mirror(tmp_path / "mirror.git", url).merging.fetch, 7, ref=REQUEST)
            try:
                assert server.stalled.wait(20)
                tip = repositories.commit(repository, {"b": "main\n"})
                server.stall_after = None
                assert Mirror(tmp_path / "mirror.git", url, seconds=10).fetch("main") == tip
            finally:
                server.resume.set()
            with pytest.raises(Temporary):
                slow.result(30)
        assert mirror.merging.fetch(7, ref=REQUEST) == head
        assert mirror.merging.merge(7, base=tip, head=head).head == head


def test_what_an_interrupted_fetch_left_is_no_matter(tmp_path: Path, repository: Path, mirror: Mirror) -> None:
    head = request(repository, {"a": "request\n"})
    mirror.fetch("main")
    (left := tmp_path / "mirror.aside" / "objects").mkdir(parents=True)
    (left / "tmp_pack").touch()
    assert mirror.merging.fetch(7, ref=REQUEST) == head
    assert not left.exists()


def test_what_was_fetched_for_a_mirror_that_was_made_anew_is_not_handed_over(
    repository: Path, mirror: Mirror, monkeypatch: pytest.MonkeyPatch
) -> None:
    head = request(repository, {"a": "request\n"})
    both(mirror)
    later = request(repository, {"a": "request\n", "c": "more\n"})
    fetched = aside.fetched

    @contextmanager
    def slowly(ref: str, *, mirror: Path, remote: Remote, most: int) -> Iterator[tuple[str, Path]]:
        with fetched(ref, mirror=mirror, remote=remote, most=most) as found:
            shutil.rmtree(mirror)
            Mirror(mirror, repositories.url(repository)).fetch("main")
            yield found

    with monkeypatch.context() as meanwhile:
        meanwhile.setattr(aside, "fetched", slowly)
        with pytest.raises(Temporary, match="made anew"):
            mirror.merging.fetch(7, ref=REQUEST)
    assert head != later
    assert mirror.merging.fetch(7, ref=REQUEST) == later
    assert mirror.contains(later, mirror.fetch("main"))
