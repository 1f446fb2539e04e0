"""An overlay is rendered once for what it reads, from what it reads alone, and fetches what it may."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from deployer.source import kustomize
from tests.forges.recording import Answer, RecordingForge
from tests.source.trees import OVERLAY, Files, Trees, config_map

FILE = f"{OVERLAY}/kustomization.yaml"
SHOP: Files = {
    FILE: "resources: [../../base]\nnamespace: shop\n",
    "deploy/base/kustomization.yaml": "resources: [a.yaml]\n",
    "deploy/base/a.yaml": config_map("one"),
    "src/main.py": "1",
}


@pytest.fixture
def trees(tmp_path: Path) -> Trees:
    return Trees(tmp_path)


@pytest.fixture
def no_kustomize(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is rendered from here on comes out of the cache."""

    def fails(*_: object, **__: object) -> bytes:
        raise AssertionError("kustomize was asked")

    monkeypatch.setattr(kustomize, "render", fails)


def test_the_same_overlay_at_another_commit_is_not_rendered_again(trees: Trees, request: pytest.FixtureRequest) -> None:
    first = trees.render(SHOP)
    request.getfixturevalue("no_kustomize")
    again = trees.render({"src/main.py": "2"})
    assert (first.known, again.known) == (False, True)
    assert again.manifests == first.manifests
    assert b"namespace: shop" in again.manifests


def test_what_differs_is_rendered_anew(trees: Trees) -> None:
    trees.render(SHOP)
    changed = trees.render({"deploy/base/a.yaml": config_map("two")})
    assert not changed.known
    assert b"name: two" in changed.manifests


def test_two_overlays_that_read_the_same_are_two(trees: Trees) -> None:
    other = "deploy/overlays/other"
    trees.render({**SHOP, f"{other}/kustomization.yaml": "resources: [../../base]\nnamespace: other\n"})
    assert b"namespace: other" in trees.render({}, other).manifests


def test_a_cache_that_is_gone_costs_only_time(trees: Trees) -> None:
    first = trees.render(SHOP)
    shutil.rmtree(trees.folder / "renders")
    again = trees.render({})
    assert (again.known, again.manifests) == (False, first.manifests)


def test_a_repository_with_much_beside_the_overlay_is_not_written_out(
    trees: Trees, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[str] = []
    original = kustomize.render

    def look(root: Path, overlay: str, **rest: object) -> bytes:
        written.extend(str(path.relative_to(root)) for path in root.rglob("*") if path.is_file())
        return original(root, overlay, **rest)  # type: ignore[arg-type]

    monkeypatch.setattr(kustomize, "render", look)
    trees.render({**SHOP, **{f"src/{number}.py": "" for number in range(100)}})
    assert sorted(written) == ["deploy/base/a.yaml", "deploy/base/kustomization.yaml", FILE]


def test_what_is_allowed_is_fetched_each_time(trees: Trees) -> None:
    with RecordingForge(Answer(200, config_map("remote").encode())) as server:
        files = {FILE: f"resources: [{server.url}/bases/a.yaml]\n"}
        rendered = [trees.render(files, allow_remote=(f"{server.url}/bases",)) for _ in range(2)]
        assert [each.known for each in rendered] == [False, False]
        assert all(b"name: remote" in each.manifests for each in rendered)
        assert [request.path for request in server.requests] == 2 * ["/bases/a.yaml"]


def test_what_is_beside_that_is_not(trees: Trees) -> None:
    with RecordingForge(Answer(200, config_map("remote").encode())) as server:
        said = trees.refused(
            {FILE: f"resources: [{server.url}/bases-2/a.yaml]\n"}, allow_remote=(f"{server.url}/bases",)
        )
        assert f"{server.url}/bases-2/a.yaml' is remote and not in allow_remote" in said
        assert server.requests == []


def test_an_overlay_that_may_fetch_and_does_not_is_cached_and_has_no_network(trees: Trees) -> None:
    trees.render(SHOP, allow_remote=("https://example.com",))
    assert trees.render({}, allow_remote=("https://example.com",)).known


CHART: Files = {
    FILE: "helmGlobals: {chartHome: ../../charts}\n"
    "helmCharts: [{name: shop, releaseName: shop, valuesFile: values.yaml}]\n",
    f"{OVERLAY}/values.yaml": "text: hello\n",
    "deploy/charts/shop/Chart.yaml": "apiVersion: v2\nname: shop\nversion: 1.0.0\n",
    "deploy/charts/shop/values.yaml": "text: none\n",
    "deploy/charts/shop/templates/map.yaml": config_map("shop", "{{ .Values.text }}"),
}


@pytest.mark.skipif(shutil.which("helm") is None, reason="there is no helm on this machine")
def test_a_chart_in_the_repository_is_rendered_where_helm_is_allowed(trees: Trees) -> None:
    rendered = trees.render(CHART, helm=True)
    assert b"text: hello" in rendered.manifests
    assert "deploy/charts" in rendered.inputs.paths
    assert trees.render({}, helm=True).known


def test_what_another_helm_has_rendered_is_not_taken_for_what_this_one_does(
    trees: Trees, monkeypatch: pytest.MonkeyPatch
) -> None:
    (helm := trees.folder / "bin" / "helm").parent.mkdir()
    helm.write_text("one")
    helm.chmod(0o755)
    monkeypatch.setenv("PATH", str(helm.parent), prepend=os.pathsep)
    monkeypatch.setattr(kustomize, "render", lambda *_, **__: config_map(helm.read_text()).encode())
    assert [trees.render(files, helm=True).known for files in (CHART, {"src/main.py": "2"})] == [False, True]
    helm.write_text("another")
    again = trees.render({}, helm=True)
    assert (again.known, b"name: another" in again.manifests) == (False, True)


def test_helm_that_is_allowed_and_not_there_is_said(trees: Trees, monkeypatch: pytest.MonkeyPatch) -> None:
    which = shutil.which
    monkeypatch.setattr(shutil, "which", lambda name, **rest: None if name == "helm" else which(name, **rest))
    assert "there is no helm on this machine" in trees.refused(CHART, helm=True)


def test_a_chart_out_of_a_repository_of_charts_is_fetched_only_from_where_it_may(trees: Trees) -> None:
    chart = "helmCharts: [{name: shop, version: 1.0.0, repo: https://charts.example.com/stable}]\n"
    said = trees.refused({FILE: chart}, helm=True, allow_remote=("https://charts.example.com/other",))
    assert said.startswith(f"{FILE}:1: helmCharts: 'https://charts.example.com/stable' is remote")
    assert trees.reads({FILE: chart, f"{OVERLAY}/charts/shop-1.0.0/shop": "a file, which is no chart"}).remote
    trees.reads({f"{OVERLAY}/charts/shop-1.0.0/shop": None})
    vendored = {f"{OVERLAY}/charts/shop-1.0.0/shop/Chart.yaml": "apiVersion: v2\nname: shop\nversion: 1.0.0\n"}
    assert trees.reads({FILE: chart, **vendored}).remote is False


def test_renders_are_for_this_user_alone(trees: Trees) -> None:
    trees.render({FILE: "secretGenerator: [{name: a, literals: [p=hidden]}]\n"})
    folder = trees.folder / "renders"
    kept = [path for path in folder.rglob("*") if path.is_file()]
    assert kept
    assert all(path.stat().st_mode & 0o077 == 0 for path in (folder, *kept))
