"""What we read in a kustomization is what kustomize reads there, or we refuse it."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deployer.model import JSON
from deployer.source import goyaml
from tests.source.test_goyaml import KUBECTL
from tests.source.trees import config_map

PIECES = (
    *(
        "a",
        "b",
        ": ",
        ":",
        ", ",
        ",",
        "\n",
        " ",
        "\n ",
        "\ufeff",
        "#",
        " #",
        "'",
        '"',
        "!",
        "!x",
        "!!str ",
        "&c ",
        "*c",
    ),
    *("{", "}", "[", "]", "? ", "|\n  ", "- ", "---", "\\", "\t", "\r\n", "\x85", "\u2028", "<<: ", "é", "%"),
)
TEXTS = st.lists(st.sampled_from(PIECES), max_size=12).map("".join)


def theirs(folder: Path, text: str) -> Mapping[str, JSON] | None:
    """The annotations that kustomize adds; None when it refuses the kustomization."""
    (folder / "kustomization.yaml").write_bytes(text.encode())
    done = subprocess.run([KUBECTL, "kustomize", str(folder)], capture_output=True, env={}, check=False)
    if done.returncode:
        return None
    (found,) = goyaml.documents(done.stdout)
    assert isinstance(found, dict)
    metadata = found["metadata"]
    assert isinstance(metadata, dict)
    annotations = metadata.get("annotations", {})
    assert isinstance(annotations, dict)
    return annotations


def ours(text: str) -> JSON:
    """The annotations that we find; None when we refuse the kustomization."""
    try:
        first = next(goyaml.documents(text.encode()))
    except goyaml.Unreadable:
        return None
    found = first.get("commonAnnotations") if isinstance(first, dict) else None
    # Go's null is an empty string where there is to be a string.
    return {key: "" if value is None else value for key, value in found.items()} if isinstance(found, dict) else {}


@pytest.fixture(scope="module")
def overlay(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("overlay")
    (folder / "a.yaml").write_text(config_map("one"))
    return folder


@pytest.mark.parametrize(
    "text",
    ["{a: b, \n\ufeff#c: d\n}", "{a: !x, b: c}", "{a: !, b: c}", "{a: ! , b: c}", "{a: !!str , b: c}", "{a: 'b'}", ""],
)
def test_spellings_that_tell_readers_apart_are_refused_or_read_alike(overlay: Path, text: str) -> None:
    alike(overlay, f"resources: [a.yaml]\ncommonAnnotations: {text}\n")


@pytest.mark.thorough
@settings(max_examples=400, deadline=None, derandomize=True, database=None)
@given(text=TEXTS)
def test_whatever_is_written_is_refused_or_read_alike(overlay: Path, text: str) -> None:
    alike(overlay, f"{{resources: [a.yaml], commonAnnotations: {{{text}}}}}\n")
    alike(overlay, f"resources: [a.yaml]\ncommonAnnotations:\n {text}\n")


def alike(overlay: Path, text: str) -> None:
    read = ours(text)
    if read is not None and (meant := theirs(overlay, text)) is not None:
        assert json.dumps(read, sort_keys=True) == json.dumps(meant, sort_keys=True)
