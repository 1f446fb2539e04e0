"""The settings file as YAML."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from deployer.settings import SettingsError, load
from deployer.settings.document import read
from tests.settings.conftest import Complain, Content


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as caught:
        load(tmp_path / "nothing.yaml")
    assert caught.value.mistakes == (
        f"{tmp_path}/nothing.yaml: cannot be read: No such file or directory; DEPLOYER_CONFIG says which file it is",
    )


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="Is a directory"):
        load(tmp_path)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read_is_named(write: Callable[[str], Path]) -> None:
    path = write("url: x")
    path.chmod(0)
    with pytest.raises(SettingsError, match="Permission denied"):
        load(path)


@pytest.mark.parametrize("text", ["", "\n", "# nothing\n", "---\n", "- a\n", "text", "42", "null", "\ufeff"])
def test_a_file_that_is_no_mapping_is_refused(text: str, complain: Complain) -> None:
    (mistake,) = complain(text)
    assert mistake.endswith("deployer.yaml: is empty or not a mapping; config/deployer.example.yaml is a start")


@pytest.mark.parametrize(
    ("text", "where"),
    [
        (
            "url: [a\nforges: x",
            "line 2, column 7: not YAML: while parsing a flow sequence, expected ',' or ']', but got",
        ),
        ("url: a\n\tforges: x", "line 2, column 1: not YAML: while scanning for the next token, found character"),
        ("url: 'a", "line 1, column 8: not YAML: while scanning a quoted scalar, found unexpected end of stream"),
        ("url: a\nforges: *b", "line 2, column 9: not YAML: found undefined alias"),
        ("url: a\n---\nurl: b", "line 2, column 1: not YAML: expected a single document in the stream"),
        ("url: a\nforges\n", "line 3, column 1: not YAML: while scanning a simple key, could not find expected ':'"),
    ],
)
def test_bad_syntax_is_reported_with_its_place(text: str, where: str, complain: Complain) -> None:
    (mistake,) = complain(text)
    assert f"deployer.yaml: {where}" in mistake


@pytest.mark.parametrize(
    ("raw", "mistake"),
    [
        (b"url: a\nforges: \xff\n", "line 2: is not text in UTF-8"),
        ("url: a".encode("utf-16"), "line 1: is not text in UTF-8"),
        (b"url: \x00", "holds a character that YAML does not allow"),
        (b"#" * (1024 * 1024 + 1), "is bigger than 1048576 bytes"),
    ],
)
def test_what_is_no_text_is_refused(raw: bytes, mistake: str, complain: Complain) -> None:
    (found,) = complain(raw)
    assert found.endswith(f"deployer.yaml: {mistake}")


BOMB = "\n".join(["a0: &a0 [x]", *(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 12))])


@pytest.mark.parametrize(
    "text",
    [BOMB, "a: &a [*a]", "a: &a {b: *a}", "a: &a {<<: *a}", "a: " + "[" * 60 + "]" * 60, "[" * 500, "a: " * 500],
    ids=["bomb", "own list", "own mapping", "own merge", "deep", "very deep", "not yaml"],
)
def test_a_file_that_would_grow_without_end_is_refused(text: str, complain: Complain) -> None:
    (mistake,) = complain(text)
    assert "nested too deeply" in mistake or "not YAML" in mistake


def test_a_key_that_is_there_twice_is_reported_with_its_lines(complain: Complain) -> None:
    mistakes = complain("url: https://a\nforges: {}\nclusters: {}\nrepositories: []\nurl: https://b\n")
    assert mistakes == ("url: is there twice, on line 1 and on line 5",)


def test_a_key_without_a_value_is_one_mistake(complain: Complain) -> None:
    mistakes = complain("url: https://a\nforges: {}\nclusters: {}\nrepositories:\napi_tokens: [~]\n")
    assert mistakes == (
        "repositories: nothing is written here; give a value or remove the key",
        "api_tokens[0]: nothing is written here; give a value or remove the key",
    )


REPOSITORY = """
url: https://deployer.example.com
forges: {github: {kind: github, webhook_secrets: [{env: HOOK}]}}
clusters: {staging: {in_cluster: true}}
repositories:
  - name: acme/shop
    forge: github
    branch: BRANCH
    environments:
      ENVIRONMENT: {overlay: deploy, cluster: staging, namespace: shop}
"""


def repository(branch: str = "main", environment: str = "staging") -> str:
    return REPOSITORY.replace("BRANCH", branch).replace("ENVIRONMENT", environment)


@pytest.mark.parametrize(
    ("branch", "found"),
    [
        ("on", "a boolean (YAML reads on, off, yes, no, true and false so); quote it"),
        ("No", "a boolean (YAML reads on, off, yes, no, true and false so); quote it"),
        ("1.10", "a number; quote it"),
        ("0644", "a number; quote it"),
        ("12_345", "a number; quote it"),
    ],
)
def test_a_branch_that_yaml_misreads_needs_quotes(branch: str, found: str, complain: Complain) -> None:
    assert complain(repository(branch)) == (f"repositories[0].branch: expected text, found {found}",)


@pytest.mark.parametrize("branch", ['"on"', "'1.10'", "2026-11-23", "1e3", "v1.10", "=", "n"])
def test_a_branch_that_is_text_is_taken_as_it_is(
    branch: str, write: Callable[[str], Path], environ: dict[str, str]
) -> None:
    assert load(write(repository(branch)), environ=environ).repositories[0].branch == branch.strip("\"'")


@pytest.mark.parametrize(
    ("name", "kind"), [("no", "a boolean"), ("1", "a number"), ("1.5", "a number"), ("~", "nothing")]
)
def test_an_environment_that_yaml_misreads_needs_quotes(name: str, kind: str, complain: Complain) -> None:
    mistake = f"repositories[0].environments: line 10: YAML reads a key as {kind}; quote it"
    assert mistake in complain(repository(environment=name))
    assert complain(repository(environment='"no"')) == ()


@pytest.mark.parametrize("value", ["!Ref x", "!!int x", "!!bool x", "0x_", "!!binary aGVsbG8=", '"\\ud800"'])
def test_a_value_that_yaml_cannot_read_is_one_mistake(value: str, complain: Complain) -> None:
    assert complain(repository(value)) == (
        "repositories[0].branch: line 8: YAML cannot read this; quote it if it is text",
    )


def test_a_key_that_is_a_list_is_refused(complain: Complain) -> None:
    assert "repositories[0].environments: line 10: a key is not a text" in complain(repository(environment="[a]"))


def test_anchors_and_merges_work(write: Callable[[str], Path]) -> None:
    text = "a: &a {x: 1, y: 2}\nb: &b {<<: *a, y: 3}\nc: {z: 4, <<: [*b, {x: 9, w: 5}]}\nd: *a\n"
    document = read(write(text))
    assert document.mistakes == ()
    assert document.content["b"] == {"x": 1, "y": 3}
    assert document.content["c"] == {"x": 1, "y": 3, "z": 4, "w": 5}
    assert document.content["d"] == {"x": 1, "y": 2}


def test_a_merge_of_something_else_is_one_mistake(write: Callable[[str], Path]) -> None:
    (mistake,) = read(write("a:\n  <<: text\n")).mistakes
    assert str(mistake) == "a: line 2: expected a mapping, or a list of them, after <<"


def test_a_strange_key_is_written_on_one_line(complain: Complain, content: Content) -> None:
    content["a\nb\x1b[31m" + "c" * 1000] = 1
    (mistake,) = complain(content)
    assert mistake.startswith(r'["a\nb\u001b[31mccc')
    assert len(mistake) < 200
