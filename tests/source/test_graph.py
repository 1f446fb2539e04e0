"""What an overlay reads: all of it, and nothing else. What it renders to is the judge."""

from __future__ import annotations

import posixpath
import shutil
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deployer.model import Permanent
from deployer.source import graph, kustomize
from deployer.source.graph import Inputs
from deployer.source.kustomize import Options
from deployer.source.overlay import reads
from deployer.source.snapshot import Snapshot
from tests import repositories
from tests.source.trees import OVERLAY, Files, Trees, config_map

FILE = f"{OVERLAY}/kustomization.yaml"
PATCH = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: one}\ndata: {patched: 'yes'}\n"
REPLACEMENT = "- source: {kind: ConfigMap, name: one, fieldPath: data.text}\n  targets: []\n"
GENERATOR = "apiVersion: builtin\nkind: ConfigMapGenerator\nmetadata: {name: built}\nfiles: [built.txt]\n"
TRANSFORMER = "apiVersion: builtin\nkind: PatchTransformer\nmetadata: {name: p}\npath: p.yaml\n"

READ: Mapping[str, tuple[str, Files, set[str]]] = {
    "resources": (
        "resources: [a.yaml, sub]",
        {"a.yaml": config_map("one"), "sub/kustomization.yaml": "", "sub/b": ""},
        {"a.yaml", "sub/kustomization.yaml"},
    ),
    "components": (
        "components: [c]",
        {"c/kustomization.yml": "kind: Component\napiVersion: kustomize.config.k8s.io/v1alpha1\n"},
        {"c/kustomization.yml"},
    ),
    "patches": (
        "resources: [a.yaml]\npatches: [{path: p.yaml}]",
        {"a.yaml": config_map("one"), "p.yaml": PATCH},
        {"a.yaml", "p.yaml"},
    ),
    "generators": (
        "configMapGenerator: [{name: a, files: [k=t.txt], envs: [e.env]}]",
        {"t.txt": "x", "e.env": "A=b"},
        {"e.env", "t.txt"},
    ),
    "replacements": (
        "resources: [a.yaml]\nreplacements: [{path: r.yaml}]",
        {"a.yaml": config_map("one"), "r.yaml": REPLACEMENT},
        {"a.yaml", "r.yaml"},
    ),
    "built-in generators": ("generators: [g.yaml]", {"g.yaml": GENERATOR, "built.txt": "x"}, {"built.txt", "g.yaml"}),
    "built-in transformers": (
        "resources: [a.yaml]\ntransformers: [t/t.yaml]",
        {"a.yaml": config_map("one"), "t/t.yaml": TRANSFORMER, "p.yaml": PATCH},
        {"a.yaml", "p.yaml", "t/t.yaml"},
    ),
    "configurations": (
        "resources: [a.yaml]\nconfigurations: [c.yaml]",
        {"a.yaml": config_map("one"), "c.yaml": "namePrefix: []\n"},
        {"a.yaml", "c.yaml"},
    ),
    "crds and openapi": (
        "crds: [c.json]\nopenapi: {path: s.json}",
        {"c.json": "{}", "s.json": "{}"},
        {"c.json", "s.json"},
    ),
    "charts": (
        "helmGlobals: {chartHome: ../charts}",
        {"../charts/a/Chart.yaml": "name: a", "../other": ""},
        {"../charts"},
    ),
    "links within charts": (
        "helmGlobals: {chartHome: ../charts}",
        {
            "../charts/a/Chart.yaml": Path("../../shared/Chart.yaml"),
            "../charts/a/templates": Path("../../shared/templates"),
            "../charts/a/loop": Path(".."),
            "../shared/Chart.yaml": "name: a",
            "../shared/templates/a.yaml": Path("../b.yaml"),
            "../shared/b.yaml": "",
            "../shared/c.yaml": "",
        },
        {"../charts", "../charts/a/Chart.yaml", "../charts/a/templates", "../charts/a/loop", "../shared/Chart.yaml"}
        | {"../shared/templates", "../shared/templates/a.yaml", "../shared/b.yaml"},
    ),
    "links": (
        "resources: [link]",
        {
            "link": Path("../../real"),
            "../../real/kustomization.yaml": "resources: [x.yaml]",
            "../../real/x.yaml": Path("y.yaml"),
            "../../real/y.yaml": config_map("one"),
        },
        {"../../real/kustomization.yaml", "../../real/x.yaml", "../../real/y.yaml", "link"},
    ),
}


def inside(name: str) -> str:
    return posixpath.normpath(f"{OVERLAY}/{name}")


@pytest.fixture
def trees(tmp_path: Path) -> Trees:
    return Trees(tmp_path)


@pytest.mark.parametrize("name", READ)
def test_each_field_is_followed_and_nothing_else_is_read(trees: Trees, name: str) -> None:
    kustomization, files, expected = READ[name]
    beside: Mapping[str, str] = {"unrelated/a.yaml": "", f"{OVERLAY}/unrelated.yaml": ""}
    found = trees.reads(
        {FILE: kustomization + "\n", **{inside(path): content for path, content in files.items()}, **beside}
    )
    assert found.paths == {FILE, *map(inside, expected)}
    assert found.findings == ()


def test_a_field_that_nobody_knows_makes_the_whole_repository_its_input(trees: Trees) -> None:
    first = trees.reads({FILE: "\nsparkles: [a]\n", "elsewhere": "1"})
    assert first.paths == {""}
    assert trees.reads({"elsewhere": "2"}).digest != first.digest


def test_so_do_configurations_out_of_a_folder_and_the_line_is_said(trees: Trees) -> None:
    files = {FILE: "resources: [a.yaml]\ntransformers:\n- ../t\n", f"{OVERLAY}/a.yaml": config_map("one"),
             "deploy/overlays/t/kustomization.yaml": "resources: [t.yaml]\n",
             "deploy/overlays/t/t.yaml": "apiVersion: builtin\nkind: PrefixTransformer\nmetadata: {name: p}\n"
             "prefix: pre-\nfieldSpecs: [{path: metadata/name}]\n"}  # fmt: skip
    rendered = trees.render(files)
    assert rendered.inputs.paths == {""}
    assert b"name: pre-one" in rendered.manifests
    assert rendered.notes == (f"{FILE}:3: transformers: '../t' cannot be followed",)


def test_a_change_of_something_else_changes_nothing(trees: Trees) -> None:
    files = {FILE: "resources: [../../base]\n", "deploy/base/kustomization.yaml": "resources: [a.yaml]\n",
             "deploy/base/a.yaml": config_map("one"), "deploy/base/README": "1"}  # fmt: skip
    first = trees.reads(files)
    assert (
        trees.reads({"deploy/base/README": "2", "deploy/overlays/other/kustomization.yaml": ""}).digest == first.digest
    )
    assert trees.reads({"deploy/base/a.yaml": config_map("two")}).digest != first.digest


def test_what_is_missing_now_is_noticed_when_it_comes(trees: Trees) -> None:
    first = trees.reads({FILE: "resources: [a.yaml]\n"})
    assert trees.reads({f"{OVERLAY}/a.yaml": config_map("one")}).digest != first.digest


def test_so_is_a_second_kustomization(trees: Trees) -> None:
    first = trees.reads({FILE: "namespace: a\n"})
    assert trees.reads({f"{OVERLAY}/Kustomization": "namespace: b\n"}).digest != first.digest


def test_a_loop_ends(trees: Trees) -> None:
    loop = {FILE: "resources: [../../base]\n", "deploy/base/kustomization.yaml": "resources: [../overlays/staging]\n"}
    assert len(trees.reads(loop).paths) == 2
    assert "cycle" in trees.refused({})


def test_what_is_known_is_not_looked_up_again(trees: Trees, monkeypatch: pytest.MonkeyPatch) -> None:
    other = "deploy/overlays/other"
    files = {FILE: "resources: [../../base]\n", f"{other}/kustomization.yaml": "resources: [../../base]\n",
             "deploy/base/kustomization.yaml": "resources: [a.yaml]\n",
             "deploy/base/a.yaml": config_map("one")}  # fmt: skip
    commit = trees.commit(files)
    first = reads(trees.mirror, commit, [OVERLAY, other])
    walked: list[str] = []
    walk = graph.inputs

    def spy(snapshot: Snapshot, overlays: Iterable[str], **rest: Any) -> dict[str, Inputs]:
        walked.extend(overlays := list(overlays))
        return walk(snapshot, overlays, **rest)

    monkeypatch.setattr(graph, "inputs", spy)
    assert reads(trees.mirror, trees.commit({"README": "2"}), [OVERLAY, other]) == first
    assert walked == []
    trees.reads({f"{other}/new.yaml": "", "README": "3"}, other)
    assert walked == [other]
    after = reads(trees.mirror, trees.commit({"deploy/base/a.yaml": config_map("two")}), [OVERLAY, other])
    assert sorted(walked) == sorted([other, OVERLAY, other])
    assert all(after[each].digest != first[each].digest for each in after)


def test_a_folder_that_becomes_a_link_is_walked_anew(trees: Trees) -> None:
    first = trees.reads({FILE: "resources: [../../base]\n", "deploy/base/kustomization.yaml": "resources: []\n",
                         "real/kustomization.yaml": "resources: []\n"})  # fmt: skip
    shutil.rmtree(trees.repository / "deploy" / "base")
    after = trees.reads({"deploy/base": Path("../real")})
    assert "real/kustomization.yaml" in after.paths
    assert after.digest != first.digest


def test_what_led_out_is_looked_at_each_time(trees: Trees) -> None:
    refused: Files = {FILE: "resources: [../../link]\n", "deploy/link": Path("../../elsewhere")}
    assert "leads out of the repository" in trees.refused(refused)
    repositories.commit(trees.repository, {"deploy/link": None})
    repositories.commit(trees.repository, {"real/kustomization.yaml": "", "deploy/link": Path("../real")})
    assert trees.reads({}).findings == ()


SPOILED = (b"", b"{", b"[]", b'{"edition":1}', b"\xff", b'{"edition":1,"overlays":{"deploy/overlays/staging":7}}',
           b'{"edition":1,"overlays":{"deploy/overlays/staging":["a",["b"],[["no fault"]],{}]}}')  # fmt: skip


@pytest.mark.parametrize("content", SPOILED)
def test_a_file_that_was_spoiled_is_made_anew(trees: Trees, content: bytes) -> None:
    files = {FILE: "resources: [a.yaml]\n", f"{OVERLAY}/a.yaml": config_map("one")}
    expected = trees.reads(files)
    trees.mirror.beside("inputs").write_bytes(content)
    assert trees.reads({}) == expected


NAMES = ("one", "two", "three", "four")


def patch(name: str, key: str) -> str:
    return f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}}}\ndata: {{{key}: '1'}}\n"


@st.composite
def forests(draw: st.DrawFn) -> dict[str, str]:
    """An overlay and what it is built on, with patches and generated maps, and files that nothing may name."""
    folders = [OVERLAY, *draw(st.lists(st.sampled_from(["base", "deploy/part", "lib/x/y"]), unique=True))]
    files: dict[str, str] = {}
    for folder, below, name in zip(folders, [*folders[1:], None], NAMES, strict=False):
        up = "../" * (folder.count("/") + 1)
        fields = [f"resources: {[f'{name}.yaml', *([f'{up}{below}'] if below else [])]}"]
        files[f"{folder}/{name}.yaml"] = config_map(name)
        files[f"{folder}/unused-{name}.yaml"] = config_map("unused")
        if draw(st.booleans()):
            fields.append(f"patches: [{{path: {up}patches/{name}.yaml}}]")
            files[f"patches/{name}.yaml"] = patch(name, "p")
        if draw(st.booleans()):
            fields.append(f"configMapGenerator: [{{name: made-{name}, files: [k=data/a.txt], envs: [data/a.env]}}]")
            files |= {f"{folder}/data/a.txt": "1", f"{folder}/data/a.env": "A=1\n"}
        if draw(st.booleans()):
            fields.append("transformers: [t.yaml]")
            files[f"{folder}/t.yaml"] = TRANSFORMER
            files[f"{folder}/p.yaml"] = patch(name, "t")
        files[f"{folder}/kustomization.yaml"] = "\n".join(fields) + "\n"
    return files


def changed(name: str, content: str) -> str:
    if name.endswith("kustomization.yaml"):
        return f"{content}namePrefix: p-\n"
    return f"{content}B=2\n" if name.endswith(".env") else content.replace("'1'", "'2'").replace("'x'", "'y'") + "\n"


@pytest.mark.thorough
@settings(max_examples=5, deadline=None)
@given(files=forests(), data=st.data())
def test_whatever_changes_what_is_rendered_is_read(files: dict[str, str], data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as folder:
        trees = Trees(Path(folder))
        name = data.draw(st.sampled_from(sorted(files)))
        one, two = trees.commit(files), trees.commit({name: changed(name, files[name])})
        before, after = (reads(trees.mirror, commit, [OVERLAY])[OVERLAY] for commit in (one, two))
        whole = [_rendered(trees, commit, [""], number) for number, commit in enumerate((one, two))]
        assert whole[0] == _rendered(trees, one, sorted(before.paths), 2)
        if whole[0] != whole[1]:
            assert before.digest != after.digest
        assert (before.digest != after.digest) == (name in before.paths)


def _rendered(trees: Trees, commit: str, paths: list[str], number: int) -> bytes | str:
    root = trees.folder / f"out-{number}"
    trees.mirror.write(trees.mirror.snapshot(commit), paths, root)
    try:
        return kustomize.render(root, OVERLAY, options=Options(anywhere=True))
    except Permanent as error:
        return error.message
