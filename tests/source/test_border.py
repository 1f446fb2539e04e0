"""Nothing outside of the repository is rendered, wherever a kustomization points."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import pytest

from deployer.model import Permanent
from deployer.source.kustomize import has_no_network, render
from tests.forges.recording import Answer, RecordingForge

MAP = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: theirs}\n"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A repository beside another tenant's folder, which kustomize could render."""
    write(tmp_path / "other-tenant", {"kustomization.yaml": "resources: [map.yaml]\n", "map.yaml": MAP})
    return tmp_path / "repository"


def write(folder: Path, files: Mapping[str, str]) -> None:
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(content)


@pytest.mark.parametrize("field", ["resources", "bases", "components", "generators", "transformers", "validators"])
@pytest.mark.parametrize(
    "way", ["../../other-tenant", "../overlay/../../other-tenant/", "./../../../{root}/../other-tenant"]
)
def test_a_folder_outside_is_refused_by_file_and_entry(root: Path, field: str, way: str) -> None:
    entry = way.replace("{root}", f"{root.parent.name}/{root.name}")
    write(root, {"overlay/kustomization.yaml": f"{field}: ['{entry}']\n"})
    with pytest.raises(Permanent, match="leads out of the repository") as caught:
        render(root, "overlay")
    assert caught.value.message.startswith(f"overlay/kustomization.yaml: {field}: ")


def test_so_is_one_that_a_base_names(root: Path) -> None:
    write(
        root,
        {
            "overlay/kustomization.yaml": "resources: [../base]\n",
            "base/kustomization.yaml": "resources: [../../other-tenant]\n",
        },
    )
    with pytest.raises(Permanent, match=r"^base/kustomization.yaml: resources: '../../other-tenant' leads out"):
        render(root, "overlay")


def test_so_is_the_folder_of_another_process(root: Path) -> None:
    way = os.path.relpath(f"/proc/{os.getpid()}/cwd", root / "overlay")
    write(root, {"overlay/kustomization.yaml": f"resources: ['{way}']\n"})
    with pytest.raises(Permanent, match="leads out of the repository"):
        render(root, "overlay")


def test_so_is_a_field_in_other_letters_which_kustomize_takes_for_the_same(root: Path) -> None:
    write(root, {"overlay/kustomization.yaml": "Resources: [../../other-tenant]\n"})
    with pytest.raises(Permanent):
        render(root, "overlay")


def test_a_kustomization_that_cannot_be_read_is_not_rendered(root: Path) -> None:
    write(root, {"overlay/kustomization.yaml": "resources: [a\n"})
    with pytest.raises(Permanent, match=r"^overlay/kustomization.yaml: cannot be read"):
        render(root, "overlay")


def test_a_loop_ends(root: Path) -> None:
    write(
        root,
        {
            "overlay/kustomization.yaml": "resources: [../base]\n",
            "base/kustomization.yaml": "resources: [../overlay]\n",
        },
    )
    with pytest.raises(Permanent, match="cycle"):
        render(root, "overlay")


def test_what_stays_inside_is_rendered(root: Path) -> None:
    write(
        root,
        {
            "apps/shop/overlay/kustomization.yaml": "resources: [../../../shared/base]\n",
            "shared/base/kustomization.yaml": "resources: [map.yaml]\n",
            "shared/base/map.yaml": MAP,
        },
    )
    assert b"theirs" in render(root, "apps/shop/overlay")


@pytest.mark.parametrize("field", ["reſources", "baſes", "componentſ", "RESOURCES"])
def test_so_is_a_field_that_go_takes_for_another(root: Path, field: str) -> None:
    write(root, {"overlay/kustomization.yaml": f"{field}: [../../other-tenant]\n"})
    with pytest.raises(Permanent):
        render(root, "overlay")


def test_so_is_a_way_through_a_link_that_ends_elsewhere_than_it_reads(root: Path) -> None:
    write(root, {"a/b/c/d/keep": "", "overlay/kustomization.yaml": "resources: [deep/../../../other-tenant]\n"})
    (root / "overlay" / "deep").symlink_to("../a/b/c/d")
    with pytest.raises(Permanent, match="leads out of the repository"):
        render(root, "overlay")


@pytest.mark.parametrize("field", ["resources", "generators", "transformers"])
def test_so_is_an_entry_with_a_line_break_in_it(root: Path, field: str) -> None:
    write(root, {"overlay/kustomization.yaml": f'{field}: ["x\\n/../../../other-tenant"]\n'})
    with pytest.raises(Permanent, match="an entry leads out of the repository"):
        render(root, "overlay")


def test_a_generator_that_is_written_out_is_rendered_however_long_it_is(root: Path) -> None:
    generator = (
        "{apiVersion: builtin, kind: ConfigMapGenerator, metadata: {name: made},"
        f" literals: [text=x/{'y' * 5000}], options: {{disableNameSuffixHash: true}}}}"
    )
    write(root, {"overlay/kustomization.yaml": f'generators: ["{generator}"]\n'})
    assert b"name: made" in render(root, "overlay")


def test_what_is_written_out_is_in_no_message(root: Path) -> None:
    generator = "{apiVersion: builtin, kind: SecretGenerator, metadata: {name: s}, literals: [p=hunter2"
    for entry in (generator, generator + "/../../../../x]}"):
        write(root, {"overlay/kustomization.yaml": f'generators: ["{entry}"]\n'})
        with pytest.raises(Permanent) as caught:
            render(root, "overlay")
        assert "hunter2" not in caught.value.message


def test_a_huge_kustomization_is_not_read(root: Path) -> None:
    write(root, {"overlay/kustomization.yaml": "resources: [" + "a, " * 400_000 + "]\n"})
    with pytest.raises(Permanent, match="is larger than 1024 KiB"):
        render(root, "overlay")


def test_nothing_of_this_machines_network_is_read(root: Path) -> None:
    if not has_no_network():
        pytest.skip("this system does not let us take the network away")
    with RecordingForge(Answer(200, MAP.encode())) as server:
        write(root, {"overlay/kustomization.yaml": f"resources: ['{server.url}/map.yaml']\n"})
        with pytest.raises(Permanent):
            render(root, "overlay")
        assert server.requests == []
