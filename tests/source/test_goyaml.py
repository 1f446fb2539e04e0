"""YAML is read as kubectl and the API server read it: every example goes through one of them and through ours."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from ssl import CERT_NONE, create_default_context
from urllib.request import Request, urlopen

import pytest
import yaml
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from deployer.model import JSON
from deployer.source import goscalars, goyaml

KUBECTL = Path(sys.executable).parent / "kubectl"

SPELLINGS = Path(__file__).parent / "spellings"
SCALARS = (SPELLINGS / "scalars.txt").read_text().splitlines()
KEYS = (SPELLINGS / "keys.txt").read_text().splitlines()
UNREADABLE = (
    "a: .nan", "a: -.inf", "null: a", "~: a", "18446744073709551615: a", "[a]: b", "? {a: b}\n: c", "&a [*a]",
    "a: &a {b: *a}", "a: !!int 1.5", "a: !!null x", 'a: !!int "x"', "a: !!float x", "a: !!bool 1", 'a: !!int ""',
    "a: !!int 1e3", "a: *nope", 'a: !!binary "%%"', r'a: "\ud83d"', "<<: 1", "<<: [1]", "<<: [{a: 1}, x]", r'a: "\q"',
    "a: [1", "a: 'x", "a: b: c", "a:\n\t b", '!!null "": d', "a: @b", "a: `b", "a: %b", 'a: "\x01"', "- a\nb: c",
    "a: |x\n  y", "{a: b}}", "!bang!x y",
)  # fmt: skip

DOCUMENTS = {
    "merge before": "x: &x {p: 1, q: 2}\nz: {<<: *x, p: 9}",
    "merge after": "x: &x {p: 1, q: 2}\nz: {p: 9, <<: *x}",
    "merge of several": "x: &x {p: 1, q: 2}\nz: {<<: [*x, {p: 5, r: 6}]}",
    "merge written out": "z: {<<: {p: 5, r: 6}}",
    "merge by tag": "z: {!!merge <<: {a: 1}, !!merge x: {a: 1}}",
    "merge quoted": "z: {'<<': {a: 1}}",
    "merge of strings": "z: {!!str <<: {a: 1}}",
    "two merges": "z: {<<: {a: 1, b: 1}, <<: {b: 2}}",
    "merge of a merge": "x: &x {a: 1}\ny: &y {<<: *x, b: 2}\nz: {<<: *y, a: 3}",
    "anchors": "a: &a [1, &b two, {c: *b}]\nd: *a\ne: [*a, *b]",
    "anchor used again": "a: &a 1\nb: &a 2\nc: *a",
    "anchor inside of its namesake": "a: &a {x: &a 1, y: *a}",
    "anchor redefined inside of its namesake": "a: &a {x: &a 1}\nb: *a",
    "anchor redefined twice inside": "a: &a [&a {x: &a [1]}, *a]\nb: *a",
    "anchored null": "a: &a\nb: *a",
    "set and ordered map": "s: !!set {a, b}\no: !!omap [a: 1]",
    "wrong collection tags": "a: !!str {b: c}\nd: !!seq {e: f}\ng: !!int [1]",
    "block scalars": "a: |\n  x\n   y\n\nb: >\n  x\n  y\n\n  z\nc: |+\n  x\n\nd: >-\n  x\n\n\ne: |2\n    x\n",
    "folded plain": "a: x\n  y\n\n  z\nb: 1\n  2",
    "flow": 'a: {b: [c, {d: e}], "f":g, h: }\ni: [a: b, "c"]\nj: [a:b, http://x]\nk: {x}',
    "comments": "# one\na: b # two\n# three\nc: d#e",
    "windows": "a: b\r\nc: |\r\n  x\r\n  y\r\nd:\r\n- e\r\n",
    "tabs": "a:\tb\nc: 'x\ty' \t\nd: [1,\t2]",
    "escapes": r'a: "\a\b\t\n\v\f\r\e\"\\\N\_\L\P\x41\u0041\U00000041\ "',
    "unicode": "a: Grüße 😀\nb: 'ß'\nÄ: 中",
    "empty values": "a:\nb: ''\nc: {}\nd: []\ne: ~\ng:\n-\n-",
    "explicit keys": "? a\n: b\n? c\n",
    "nested sequences": "a:\n- - 1\n  - - 2\n-  3\n",
}


def manifest(body: str) -> str:
    lines = "".join(f" {line}\n" for line in body.split("\n"))
    return f"apiVersion: example.com/v1\nkind: Probe\nmetadata: {{name: probe}}\nspec:\n{lines}"


def kubectl(folder: Path, *texts: str) -> tuple[list[JSON], list[str]]:
    """What kubectl reads, and what it says of the texts that it cannot read, in their order.

    It reads through the one of its commands that needs no server and takes objects of any kind.
    """
    for number, text in enumerate(texts):
        (folder / f"{number:04}.yaml").write_bytes(text.encode())
    done = subprocess.run(
        [KUBECTL, "label", "--local", "--output=jsonpath={.spec}{'\\n'}", f"--filename={folder}", "a=b"],
        env={"HOME": str(folder)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    return [from_go(line) for line in done.stdout.split("\n") if line], done.stderr.splitlines()


def theirs(folder: Path, text: str) -> JSON:
    (spec,), said = kubectl(folder, text)
    assert said == []
    return spec


def from_go(text: str) -> JSON:
    """JSON that Go wrote, as the API machinery reads it: whole numbers are int64 if they fit, else float64."""
    read: JSON = json.loads(
        text,
        parse_int=lambda digits: goscalars.json_number(int(digits)),
        parse_float=lambda digits: goscalars.json_number(float(digits)),
    )
    return read


def ours(text: str) -> JSON:
    (document,) = goyaml.documents(text.encode())
    return member(document, "spec")


def member(value: JSON, *path: str) -> JSON:
    for key in path:
        assert isinstance(value, dict)
        value = value[key]
    return value


def exact(value: JSON) -> str:
    """Tells 1 from 1.0 and from true, which Python holds to be equal."""
    return json.dumps(value, sort_keys=True)


def assert_same(spellings: Sequence[str], theirs: JSON, mine: JSON) -> None:
    assert isinstance(theirs, list)
    assert isinstance(mine, list)
    different = [
        (spelling, their, my)
        for spelling, their, my in zip(spellings, theirs, mine, strict=True)
        if exact(their) != exact(my)
    ]
    assert not different


def test_every_scalar_means_what_kubectl_says(tmp_path: Path) -> None:
    text = manifest("\n".join(f"- {each}" for each in SCALARS))
    assert_same(SCALARS, theirs(tmp_path, text), ours(text))


def test_numbers_of_any_length_mean_what_kubectl_says(tmp_path: Path) -> None:
    long = ["9" * 5000, f"-{'9' * 70}", f"0x{'0' * 5000}1", f"0o{'7' * 5000}", f"0b{'1' * 65}", f"{'9' * 400}.5"]
    text = manifest("\n".join(f"- {each}" for each in long))
    assert_same(long, theirs(tmp_path, text), ours(text))


def test_every_key_is_spelled_as_kubectl_spells_it(tmp_path: Path) -> None:
    text = manifest("\n".join(f"- {each}: x" for each in KEYS))
    assert_same(KEYS, theirs(tmp_path, text), ours(text))


@pytest.fixture(scope="module")
def structures(tmp_path_factory: pytest.TempPathFactory) -> dict[str, JSON]:
    """What kubectl reads in each document; it is started once for all, which takes as long as for one."""
    read, said = kubectl(tmp_path_factory.mktemp("structures"), *map(manifest, DOCUMENTS.values()))
    assert said == []
    return dict(zip(DOCUMENTS, read, strict=True))


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_structure_is_what_kubectl_says(structures: dict[str, JSON], name: str) -> None:
    assert exact(ours(manifest(DOCUMENTS[name]))) == exact(structures[name])


def test_markers_of_a_document_are_none_of_its_content() -> None:
    assert list(goyaml.documents(b"---\na: b\n...\n")) == [{"a": "b"}]


@pytest.fixture(scope="module")
def complaints(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What kubectl says of each text that it cannot read."""
    read, said = kubectl(tmp_path_factory.mktemp("unreadable"), *map(manifest, UNREADABLE))
    assert read == []
    return dict(zip(UNREADABLE, said, strict=True))


@pytest.mark.parametrize("body", UNREADABLE)
def test_what_kubectl_refuses_is_refused(complaints: dict[str, str], body: str) -> None:
    assert f"/{UNREADABLE.index(body):04}.yaml: error converting YAML to JSON" in complaints[body]
    with pytest.raises(goyaml.Unreadable):
        ours(manifest(body))


NUMBER_LIKE = st.text("0123456789+-._eExXoObBaAfFtTzZ", min_size=1, max_size=9)
WORD_LIKE = st.text("yYnNoOeEsSfFtTrRuUlLaA~<=.", min_size=1, max_size=5)
DATE_LIKE = st.from_regex(
    r"[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}([tT ][0-9]{1,2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?Z?)?", fullmatch=True
)
NUMBERS = st.integers(-(2**70), 2**70).map(str) | st.floats(allow_nan=False, allow_infinity=False).map(repr)
LETTERS = st.characters(exclude_categories=["Cc", "Cf", "Cn", "Cs"], include_characters="\0\t\n\x1b")
TEXTS = st.text(LETTERS, max_size=12).map(lambda text: json.dumps(text, ensure_ascii=False))


def plain(text: str) -> bool:
    """Whether the text can be a plain scalar, and not one that would spoil the whole batch."""
    return text != "-" and text.strip(".").lower() not in ("inf", "nan", "+.inf", "-.inf")


UNSHRUNK = settings(deadline=None, derandomize=True, database=None, phases=[Phase.generate])
"""The assertion names the scalars that differ; shrinking would run kubectl for minutes."""


@pytest.mark.thorough
@settings(UNSHRUNK, max_examples=6)
@given(st.lists((NUMBER_LIKE | WORD_LIKE | DATE_LIKE | NUMBERS | TEXTS).filter(plain), min_size=150, max_size=400))
def test_any_scalar_means_what_kubectl_says(tmp_path_factory: pytest.TempPathFactory, spellings: list[str]) -> None:
    text = manifest("\n".join(f"- {each}" for each in spellings))
    assert_same(spellings, theirs(tmp_path_factory.mktemp("kubectl"), text), ours(text))


@pytest.mark.thorough
@settings(UNSHRUNK, max_examples=4)
@given(st.lists(NUMBER_LIKE | st.floats().map(repr) | DATE_LIKE, min_size=150, max_size=300))
def test_any_key_is_spelled_as_kubectl_spells_it(
    tmp_path_factory: pytest.TempPathFactory, spellings: list[str]
) -> None:
    keys = [each for each in spellings if each != "-"]
    text = manifest("\n".join(f"- {each}: x" for each in keys))
    assert_same(keys, theirs(tmp_path_factory.mktemp("kubectl"), text), ours(text))


@pytest.mark.real_cluster
def test_every_scalar_means_what_the_api_server_says(real_kubeconfig: Path) -> None:
    """A ControllerRevision keeps any JSON under `data` as it is."""
    data = "".join(f"  - {each}\n" for each in SCALARS)
    text = (
        "apiVersion: apps/v1\nkind: ControllerRevision\nmetadata: {generateName: a-}\nrevision: 1\ndata:\n  v:\n" + data
    )
    config = yaml.safe_load(real_kubeconfig.read_text())
    request = Request(
        f"{config['clusters'][0]['cluster']['server']}/apis/apps/v1/namespaces/default/controllerrevisions",
        data=text.encode(),
        headers={"Content-Type": "application/yaml", "Authorization": f"Bearer {config['users'][0]['user']['token']}"},
    )
    context = create_default_context()
    context.check_hostname = False
    context.verify_mode = CERT_NONE
    with urlopen(request, context=context, timeout=30) as answer:
        read = from_go(answer.read().decode())
    (mine,) = goyaml.documents(text.encode())
    assert isinstance(mine, dict)
    assert_same(SCALARS, member(read, "data", "v"), member(mine, "data", "v"))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b"", []),
        (b"# nothing\n", []),
        (b"---\n", [None]),
        (b"---\n---\na: 1\n---\n# x\n--- b\n...\n", [None, {"a": 1}, None, "b"]),
        (b"\xef\xbb\xbfa: 1\n", [{"a": 1}]),
        ("a: ü".encode("utf-16"), [{"a": "ü"}]),
    ],
)
def test_documents_are_told_apart(text: bytes, expected: list[JSON]) -> None:
    assert list(goyaml.documents(text)) == expected


@pytest.mark.parametrize("text", [b"a: 1\na: 1", b"1: a\n'1': b", b"on: a\ntrue: b"])
def test_a_key_that_stands_twice_is_refused(text: bytes) -> None:
    with pytest.raises(goyaml.Unreadable, match="second time"):
        list(goyaml.documents(text))


def test_anchors_of_one_document_are_none_of_the_next() -> None:
    text = b"a: {b: c}\nd: e\n---\nx: &q {a: b, c: *q}\n"
    with pytest.raises(goyaml.Unreadable, match="contains itself"):
        list(goyaml.documents(text))
    with pytest.raises(goyaml.Unreadable, match="does not stand before it"):
        list(goyaml.documents(b"a: &a b\n---\nc: *a\n"))


@pytest.mark.parametrize("text", ["a: b\n\ufeff#", "\ufeff\ufeffa: b", "a: 'x\n\n  \ufeff'"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_byte_order_marks_stand_at_the_beginning_or_nowhere(text: str, encoding: str) -> None:
    with pytest.raises(goyaml.Unreadable, match="byte order mark"):
        list(goyaml.documents(text.encode(encoding)))
    assert list(goyaml.documents(text.replace("\ufeff", "").encode(encoding)))


@pytest.mark.parametrize("text", [b"a: \xff\xfe", b"a: \x00", b"a: \xc3\x28", b"\xff", b"a: \xed\xa0\x80"])
def test_bytes_that_are_no_text_are_refused(text: bytes) -> None:
    with pytest.raises(goyaml.Unreadable):
        list(goyaml.documents(text))


def bomb(levels: int) -> bytes:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, levels)]
    return "\n".join(lines).encode()


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(bomb(40), id="aliases"),
        pytest.param(b"\n---\n".join([bomb(4)] * 40), id="aliases over many documents"),
        pytest.param(b"a: &a {b: c}\nd: {<<: [" + b"*a, " * 60_000 + b"*a]}", id="merges"),
        pytest.param(b"[" * 100_000, id="sequences"),
        pytest.param(b"{a: " * 100_000, id="mappings"),
        pytest.param(b"".join(b" " * n + b"a:\n" for n in range(2000)), id="blocks"),
        pytest.param(b"- " * 100_000, id="blocks on one line"),
        pytest.param(b"a: &a " + b"[" * 150 + b"]" * 150 + b"\nb: " + b"[" * 100 + b"*a" + b"]" * 100, id="both"),
    ],
)
def test_what_expands_or_nests_without_measure_is_refused_at_once(text: bytes) -> None:
    begun = time.monotonic()
    with pytest.raises(goyaml.Unreadable, match=r"levels deep|aliases stand for"):
        list(goyaml.documents(text))
    assert time.monotonic() - begun < 5


def test_a_place_is_named_and_no_value() -> None:
    with pytest.raises(goyaml.Unreadable, match=r"^line 2, column 4: ") as refused:
        list(goyaml.documents(b"a: b\nc: !!int hunter2"))
    assert "hunter2" not in str(refused.value)


def test_a_thousand_objects_are_read_in_a_moment() -> None:
    spec = "".join(f"  field{n}: {{value: {n}, text: 'x', list: [a, b]}}\n" for n in range(10))
    one = f"apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\nspec:\n{spec}"
    begun = time.monotonic()
    assert len(list(goyaml.documents("---\n".join([one] * 1000).encode()))) == 1000
    assert time.monotonic() - begun < 5


def test_binary_is_decoded_whatever_its_line_breaks() -> None:
    content = base64.encodebytes(b"x" * 100).decode().strip().replace("\n", "\n    ")
    assert list(goyaml.documents(f"a: !!binary |\n    {content}\n".encode())) == [{"a": "x" * 100}]
