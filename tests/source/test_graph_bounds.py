"""One overlay that is odd, huge or endless stops neither the worker nor what is planned for the others."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterable, Mapping
from pathlib import Path

import pytest

from deployer.model import Permanent
from deployer.source import graph
from deployer.source.finding import Fault
from deployer.source.overlay import reads
from tests import repositories
from tests.source.trees import OVERLAY, Files, Trees, config_map

FILE = f"{OVERLAY}/kustomization.yaml"
GOOD: Files = {"good/kustomization.yaml": "resources: [a.yaml]\n", "good/a.yaml": config_map("one")}


@pytest.fixture
def trees(tmp_path: Path) -> Trees:
    return Trees(tmp_path)


def faults(trees: Trees, commit: str, *overlays: str) -> list[set[Fault]]:
    found = reads(trees.mirror, commit, overlays)
    return [{finding.fault for finding in found[each].findings} for each in overlays]


def test_a_path_of_many_parts_is_missing_and_no_more(trees: Trees) -> None:
    commit = trees.commit({FILE: f"resources: ['{'x/' * 1500}y', '{'x/' * 9000}y']\n", **GOOD})
    assert faults(trees, commit, OVERLAY, "good") == [{Fault.MISSING}, set()]


def test_a_huge_kustomization_is_refused_for_its_overlay_alone(trees: Trees) -> None:
    commit = trees.commit({FILE: b"#" * (17 * 1024 * 1024), **GOOD})
    assert faults(trees, commit, OVERLAY, "good") == [{Fault.UNREADABLE}, set()]


@pytest.mark.thorough
def test_many_large_kustomizations_are_read(trees: Trees) -> None:
    large = "#" * 900_000
    files: dict[str, str] = {f"o{number}/kustomization.yaml": f"namespace: n{number}\n{large}" for number in range(40)}
    commit = trees.commit(files)
    assert faults(trees, commit, *(name.partition("/")[0] for name in files)) == [set()] * 40


@pytest.mark.thorough
def test_a_tree_that_contains_itself_many_times_is_refused_for_its_overlay_alone(trees: Trees) -> None:
    repository = trees.repository
    names = [f"x{number}" for number in range(10)]
    repositories.commit(repository, GOOD)
    kustomization = repositories.git(
        repository, "hash-object", "-w", "--stdin", stdin=f"resources: [{', '.join(names)}]\n".encode()
    )
    tree = repositories.git(repository, "mktree", stdin=f"100644 blob {kustomization}\tkustomization.yaml\n".encode())
    for _ in range(8):
        entries = "".join(f"040000 tree {tree}\t{name}\n" for name in names)
        listing = f"100644 blob {kustomization}\tkustomization.yaml\n{entries}"
        tree = repositories.git(repository, "mktree", stdin=listing.encode())
    good = repositories.git(repository, "rev-parse", "HEAD:good")
    commit = repositories.commit_tree(repository, f"040000 tree {tree}\tbomb\n040000 tree {good}\tgood\n".encode())
    assert faults(trees, commit, "bomb", "good") == [{Fault.ENDLESS}, set()]


def test_an_overlay_in_the_root_that_gets_its_kustomization_later_is_walked_anew(trees: Trees) -> None:
    assert {finding.fault for finding in trees.reads({"README": "1"}, ".").findings} == {Fault.EMPTY}
    after = trees.reads({"kustomization.yaml": "resources: [a.yaml]\n", "a.yaml": config_map("one")}, ".")
    assert after.findings == ()


def test_a_base_that_was_a_submodule_is_walked_anew_when_it_is_a_folder(trees: Trees) -> None:
    trees.commit({FILE: "resources: [../../../vendored]\n"})
    repository = trees.repository
    head = repositories.tip(repository)
    deploy = repositories.git(repository, "rev-parse", "HEAD:deploy")
    entries = f"040000 tree {deploy}\tdeploy\n160000 commit {head}\tvendored\n"
    before = reads(trees.mirror, repositories.commit_tree(repository, entries.encode()), [OVERLAY])[OVERLAY]
    blob = repositories.git(repository, "hash-object", "-w", "--stdin", stdin=b"namespace: a\n")
    folder = repositories.git(repository, "mktree", stdin=f"100644 blob {blob}\tkustomization.yaml\n".encode())
    entries = f"040000 tree {deploy}\tdeploy\n040000 tree {folder}\tvendored\n"
    after = reads(trees.mirror, repositories.commit_tree(repository, entries.encode()), [OVERLAY])[OVERLAY]
    assert "vendored/kustomization.yaml" in after.paths - before.paths
    assert after.digest != before.digest


def test_a_file_that_was_a_folder_is_noticed(trees: Trees) -> None:
    first = trees.reads({FILE: "configMapGenerator: [{name: a, files: [../conf]}]\n", "deploy/overlays/conf/x": "1"})
    repositories.git(trees.repository, "rm", "-rq", "deploy/overlays/conf")
    after = trees.reads({"deploy/overlays/conf": "2"})
    assert "deploy/overlays/conf" in after.paths - first.paths
    assert after.digest != first.digest


def bases(trees: Trees, text: str, *, number: int) -> str:
    names = [f"b{each}" for each in range(number)]
    texts = {f"{OVERLAY}/{name}/kustomization.yaml": f"#{name}\n{text}" for name in names}
    return trees.commit({FILE: f"resources: [{', '.join(names)}]\n", **texts, **GOOD})


def test_an_overlay_of_too_much_text_is_refused_alone(trees: Trees, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(graph, "_MOST", graph._MOST._replace(text=1_000_000))
    commit = bases(trees, f"#{'x' * 100_000}\n", number=12)
    assert faults(trees, commit, OVERLAY, "good") == [{Fault.ENDLESS}, set()]


def test_large_texts_are_not_all_held_together(trees: Trees) -> None:
    snapshot = trees.mirror.snapshot(bases(trees, "namespace: a\n", number=120))
    asked: list[int] = []

    def read(hashes: Iterable[str]) -> Mapping[str, bytes]:
        asked.append(len(list(hashes)))
        return {}

    graph.inputs(snapshot, [f"{OVERLAY}/b{each}" for each in range(120)], read=read)
    assert sum(asked) == 120
    assert max(asked) <= 50


@pytest.mark.parametrize("within", ["x: [{}]\n", "transformers: ['{{apiVersion: builtin, x: [{}]}}']\n"])
def test_an_overlay_of_too_many_values_is_refused_alone(
    trees: Trees, monkeypatch: pytest.MonkeyPatch, within: str
) -> None:
    monkeypatch.setattr(graph, "_MOST", graph._MOST._replace(values=10_000))
    commit = bases(trees, within.format("a," * 2_000), number=8)
    assert faults(trees, commit, OVERLAY, "good") == [{Fault.ENDLESS}, set()]


def nested(trees: Trees, name: str, *, depth: int) -> str:
    """A commit with an overlay whose charts hold the same tree ten times, which holds one ten times, and so on."""
    repository = trees.repository
    repositories.commit(repository, GOOD)
    tree = repositories.git(repository, "rev-parse", "HEAD:good")
    for _ in range(depth):
        listing = "".join(f"040000 tree {tree}\t{number}\n" for number in range(10))
        tree = repositories.git(repository, "mktree", stdin=listing.encode())
    text = repositories.git(repository, "hash-object", "-w", "--stdin", stdin=b"helmCharts: [{name: a}]\n")
    overlay = repositories.git(
        repository, "mktree", stdin=f"040000 tree {tree}\tcharts\n100644 blob {text}\tkustomization.yaml\n".encode()
    )
    good = repositories.git(repository, "rev-parse", "HEAD:good")
    return repositories.commit_tree(repository, f"040000 tree {good}\tgood\n040000 tree {overlay}\t{name}\n".encode())


@pytest.mark.thorough
def test_charts_that_hold_the_same_tree_many_times_are_refused_for_their_overlay_alone(trees: Trees) -> None:
    begun = time.monotonic()
    assert faults(trees, nested(trees, "o", depth=12), "o", "good") == [{Fault.ENDLESS}, set()]
    assert time.monotonic() - begun < 30


def test_links_in_charts_that_lead_back_are_walked_once(trees: Trees) -> None:
    links: Files = {f"o/charts/{number}": Path() for number in range(2000)}
    commit = trees.commit({"o/kustomization.yaml": "helmCharts: [{name: a}]\n", **links})
    begun = time.monotonic()
    assert faults(trees, commit, "o") == [{Fault.HELM}]
    assert time.monotonic() - begun < 2


def test_folders_in_charts_that_hold_each_other_are_walked_once(trees: Trees) -> None:
    levels = ["o/charts/c" + "/d" * depth for depth in range(150)]
    links: Files = {f"{level}/l": Path("/".join([".."] * (depth + 1) or ["."])) for depth, level in enumerate(levels)}
    files: Files = {f"{levels[-1]}/f{number}": "" for number in range(500)}
    commit = trees.commit({"o/kustomization.yaml": "helmCharts: [{name: a}]\n", **links, **files})
    begun = time.monotonic()
    assert faults(trees, commit, "o") == [{Fault.HELM}]
    assert time.monotonic() - begun < 3


@pytest.mark.thorough
def test_links_of_very_many_parts_are_refused_for_their_overlay_alone(trees: Trees) -> None:
    links: Files = {f"l/{number}": Path("../l/" * 800 + "f") for number in range(1500)}
    names = ", ".join(f"../l/{number}" for number in range(1500))
    commit = trees.commit({"o/kustomization.yaml": f"crds: [{names}]\n", "l/f": "{}", **links, **GOOD})
    assert faults(trees, commit, "o", "good") == [{Fault.ENDLESS}, set()]


@pytest.mark.parametrize("field", ["resources", "generators"])
def test_text_that_opens_without_end_costs_nothing(trees: Trees, field: str) -> None:
    commit = trees.commit({FILE: f"{field}: [g.yaml]\n", f"{OVERLAY}/g.yaml": "[" * 100_000, **GOOD})
    begun = time.monotonic()
    assert faults(trees, commit, "good") == [set()]
    faults(trees, commit, OVERLAY)
    trees.refused({FILE: "[" * 100_000})
    assert time.monotonic() - begun < 5


def test_what_lies_deeper_than_anybody_puts_it_is_refused_and_leaves_nothing(
    trees: Trees, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder := tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    deep = "/".join(["a"] * 300)
    with pytest.raises(Permanent, match="it lies in more than 200 folders"):
        trees.render({FILE: f"resources: ['{deep}/x.yaml']\n", f"{OVERLAY}/{deep}/x.yaml": config_map("one")})
    assert list(folder.iterdir()) == []


def test_a_path_that_is_named_many_times_is_followed_once(trees: Trees) -> None:
    commit = trees.commit({FILE: f"namespace: &a {'x/' * 400_000}\npatches: [{'{path: *a},' * 4900}]\n", **GOOD})
    begun = time.monotonic()
    assert faults(trees, commit, OVERLAY, "good") == [{Fault.MISSING}, set()]
    assert time.monotonic() - begun < 3


def test_what_a_walk_may_look_at_is_counted_while_it_walks(trees: Trees, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(graph, "_MOST", graph._MOST._replace(places=50))
    commit = trees.commit({FILE: f"crds: [{', '.join(f'../{number}.json' for number in range(300))}]\n", **GOOD})
    assert faults(trees, commit, OVERLAY, "good") == [{Fault.ENDLESS}, set()]


def test_notes_on_fields_that_nobody_knows_are_few_and_cost_little(trees: Trees) -> None:
    unknown = "".join(f"u{number}: 'a:'\n" for number in range(4990))
    begun = time.monotonic()
    said = trees.refused({FILE: unknown})
    assert time.monotonic() - begun < 10
    assert 'unknown field "u0"' in said


def test_lines_are_not_looked_for_without_end(trees: Trees) -> None:
    names = ", ".join(f"m{number}.yaml" for number in range(10))
    begun = time.monotonic()
    said = trees.refused(
        {FILE: f"resources: [{names}]\nlabels: ['{',m:'.join(['m0'] * 90_000)}', {chr(39)}a:{chr(39)}]\n"}
    )
    assert time.monotonic() - begun < 10
    assert "'m9.yaml' is not in the repository" in said


def test_what_was_missing_is_looked_for_again_behind_a_new_link(trees: Trees) -> None:
    before = trees.reads({FILE: "resources: [../../../lib/x/a.yaml]\n", "lib/o": "1", "real/x/a.yaml": config_map("a")})
    assert {finding.fault for finding in before.findings} == {Fault.MISSING}
    repositories.git(trees.repository, "rm", "-rq", "lib")
    assert trees.reads({"lib": Path("real")}).findings == ()
