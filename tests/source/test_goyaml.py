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
from hypothesis import given, settings
from hypothesis import strategies as st

from deployer.model import JSON
from deployer.source import goscalars, goyaml

KUBECTL = Path(sys.executable).parent / "kubectl"

SCALARS = """
<< = ~ null Null NULL nULL on On ON oN off Off OFF yes Yes YES no No NO y Y n N true True TRUE tRUE false False FALSE
0 -0 +0 1 +1 -1 007 0644 -0644 0o644 0O17 08 0_8 09.5 0b101 0B11 -0b11 +0b1 0b2 0b-101 0x 0x1F 0X1f -0x1f +0x10 0x_1F 0xg
1_000 1__0 1_ _1 -_1 +_1 1:30 190:20:30 1e3 1E5 1.e3 1. .5 +.5 -.5 .5_0 .5__0 ._5 .5_ .5e1_0 .5e .5e3 .e5 . +. - +
1e 1e+ 1e-7 1.5e-7 1e20 1e21 1e22 1e999 -1e999 .5e999 12e03 0.0 -0.0 1.0 1.10 1.2.3 .5.5 0.1 1,000 1e3e3 0x1p4 .inf. nan inf
2001-01-01 2001-1-1 2001-01-01T00:00:00Z 2001-12-14t21:59:43.10-05:00 2001-02-30 12-34 1-2
9223372036854775807 9223372036854775808 -9223372036854775808 -9223372036854775809 +9223372036854775808
18446744073709551615 18446744073709551616 123456789012345678901234567890 1234567890123456789.0 9007199254740993.0
9223372036854775807.0 9223372036854774784.0 1e18 0x7fffffffffffffff 0xffffffffffffffff 0x1ffffffffffffffffffff
0777777777777777777777777 0b1111111111111111111111111111111111111111111111111111111111111111 3.141592653589793238
5e-324 1.7976931348623157e308 1.7976931348623159e308 0.1e1 100e-2 1e400 a:b a#b a-b http://x/y :8080 -x ?x
!!str !!str(123) !!str(~) !!int(5) !!int("5") !!int("0x10") !!int(1_0) !!float(1) !!float(1.5) !!float("1e3") !!bool("yes")
!!bool(on) !!null("") !!null(~) !!binary(aGVsbG8=) !!binary(/w==) !!binary(4oI=) !!binary("") !!timestamp(2001-01-01)
!(5) !("on") !foo(5) !!map(5) !<tag:yaml.org,2002:int>("7") !!omap(x) 'on' "on" '' "" '<<' "0644" "\\x80\\u2028\\U0001F600\\e\\0"
"a\\
b" 'it''s' |- >-
""".split()

KEYS = """
1 1.5 true on 1e3 123456789.0 1e6 0.00001 0.0001 2001-01-01 = 0x10 .inf -.inf .nan 1e300 -0.0 0.1 16777217.0 999999.0
3.4028235e38 1e-45 9223372036854775807 0644 y '1' "on" !!str(1) !!binary(aGk=) '<<' !!str(<<) 1_0 100000.5 1e21 12345.678
""".split()

UNREADABLE = """
a: .nan|a: -.inf|null: a|~: a|18446744073709551615: a|[a]: b|? {a: b}\n : c|&a [*a]|a: &a {b: *a}|a: !!int 1.5|a: !!null x
a: !!int "x"|a: !!float x|a: !!bool 1|a: !!int ""|a: !!int 1e3|a: *nope|a: !!binary "%%"|a: "\\ud83d"|<<: 1|<<: [1]|<<: [{a: 1}, x]
a: "\\q"|a: [1|a: 'x|a: b: c|a:\n\t b|!!null "": d|a: @b|a: `b|a: %b|a: "\x01"|- a\n b: c|a: |x\n  y|{a: b}}|!bang!x y
""".replace("\n", "|").strip("|")

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
    "anchored null": "a: &a\nb: *a",
    "set and ordered map": "s: !!set {a, b}\no: !!omap [a: 1]",
    "wrong collection tags": "a: !!str {b: c}\nd: !!seq {e: f}\ng: !!int [1]",
    "block scalars": "a: |\n  x\n   y\n\nb: >\n  x\n  y\n\n  z\nc: |+\n  x\n\nd: >-\n  x\n\n\ne: |2\n    x\n",
    "folded plain": "a: x\n  y\n\n  z\nb: 1\n  2",
    "flow": 'a: {b: [c, {d: e}], "f":g, h: }\ni: [a: b, "c"]\nj: [a:b, ::1, http://x]\nk: {x}',
    "comments": "# one\na: b # two\n# three\nc: d#e",
    "windows": "a: b\r\nc: |\r\n  x\r\n  y\r\nd:\r\n- e\r\n",
    "tabs": "a:\tb\nc: 'x\ty' \t\nd: [1,\t2]",
    "escapes": r'a: "\a\b\t\n\v\f\r\e\"\/\\\N\_\L\P\x41\u0041\U00000041\ "',
    "unicode": "a: Grüße 😀\nb: 'ß'\nÄ: 中",
    "empty values": "a:\nb: ''\nc: {}\nd: []\ne: ~\nf: -\ng:\n-\n-",
    "explicit keys": "? a\n: b\n? c\n",
    "nested sequences": "a:\n- - 1\n  - - 2\n-  3\n",
    "document markers": "---\na: b\n...\n",
}


def spell(written: str) -> str:
    """`!!int(5)` in the tables is `!!int 5`, so that the tables can be split at white space."""
    if written in ("|-", ">-"):
        return f"{written}\n   on\n   off"
    if written.startswith("!") and written.endswith(")"):
        return written[:-1].replace("(", " ", 1)
    return written.replace("\\\nb", "\\\n   b")


def manifest(body: str) -> str:
    lines = "".join(f" {line}\n" for line in body.split("\n"))
    return f"apiVersion: example.com/v1\nkind: Probe\nmetadata: {{name: probe}}\nspec:\n{lines}"


def kubectl(folder: Path, text: str) -> JSON:
    """What kubectl reads, through the one of its commands that needs no server and takes objects of any kind."""
    file = folder / "probe.yaml"
    file.write_bytes(text.encode())
    done = subprocess.run(
        [KUBECTL, "label", "--local", "--output=json", f"--filename={file}", "a=b"],
        env={"HOME": str(folder)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        raise ValueError(done.stderr)
    return from_go(done.stdout)["spec"]


def from_go(text: str) -> dict[str, JSON]:
    """JSON that Go wrote, as the API machinery reads it: whole numbers are int64 if they fit, else float64."""
    read: dict[str, JSON] = json.loads(
        text,
        parse_int=lambda digits: goscalars.json_number(int(digits)),
        parse_float=lambda digits: goscalars.json_number(float(digits)),
    )
    return read


def ours(text: str) -> JSON:
    (document,) = goyaml.documents(text.encode())
    assert isinstance(document, dict)
    return document["spec"]


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
    spellings = [spell(each) for each in SCALARS]
    text = manifest("\n".join(f"- {each}" for each in spellings if each not in ("-", ".inf")))
    assert_same([each for each in spellings if each != "-"], kubectl(tmp_path, text), ours(text))


def test_every_key_is_spelled_as_kubectl_spells_it(tmp_path: Path) -> None:
    spellings = [spell(each) for each in KEYS]
    text = manifest("\n".join(f"- {each}: x" for each in spellings))
    assert_same(spellings, kubectl(tmp_path, text), ours(text))


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_structure_is_what_kubectl_says(tmp_path: Path, name: str) -> None:
    body = DOCUMENTS[name]
    if name == "document markers":
        assert list(goyaml.documents(body.encode())) == [{"a": "b"}]
        return
    text = manifest(body)
    assert exact(ours(text)) == exact(kubectl(tmp_path, text))


@pytest.mark.parametrize("body", UNREADABLE.split("|"))
def test_what_kubectl_refuses_is_refused(tmp_path: Path, body: str) -> None:
    with pytest.raises(ValueError, match="error"):
        kubectl(tmp_path, manifest(body))
    with pytest.raises(goyaml.Unreadable):
        ours(manifest(body))


NUMBER_LIKE = st.text("0123456789+-._eExXoObBaAfFtTzZ", min_size=1, max_size=9)
WORD_LIKE = st.text("yYnNoOeEsSfFtTrRuUlLaA~<=.", min_size=1, max_size=5)
DATE_LIKE = st.from_regex(
    r"[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}([tT ][0-9]{1,2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?Z?)?", fullmatch=True
)
NUMBERS = st.integers(-(2**70), 2**70).map(str) | st.floats(allow_nan=False, allow_infinity=False).map(repr)
TEXTS = st.text(min_size=0, max_size=12).map(json.dumps)


def plain(text: str) -> bool:
    """Whether the text can be a plain scalar, and not one that would spoil the whole batch."""
    return text != "-" and text.strip(".").lower() not in ("inf", "nan", "+.inf", "-.inf")


@settings(max_examples=6, deadline=None, derandomize=True, database=None)
@given(st.lists((NUMBER_LIKE | WORD_LIKE | DATE_LIKE | NUMBERS | TEXTS).filter(plain), min_size=150, max_size=400))
def test_any_scalar_means_what_kubectl_says(tmp_path_factory: pytest.TempPathFactory, spellings: list[str]) -> None:
    text = manifest("\n".join(f"- {each}" for each in spellings))
    assert_same(spellings, kubectl(tmp_path_factory.mktemp("kubectl"), text), ours(text))


@settings(max_examples=4, deadline=None, derandomize=True, database=None)
@given(st.lists(NUMBER_LIKE | st.floats().map(repr) | DATE_LIKE, min_size=150, max_size=300))
def test_any_key_is_spelled_as_kubectl_spells_it(
    tmp_path_factory: pytest.TempPathFactory, spellings: list[str]
) -> None:
    keys = [each for each in spellings if each != "-"]
    text = manifest("\n".join(f"- {each}: x" for each in keys))
    assert_same(keys, kubectl(tmp_path_factory.mktemp("kubectl"), text), ours(text))


@pytest.mark.real_cluster
def test_every_scalar_means_what_the_api_server_says(real_kubeconfig: Path) -> None:
    """A ControllerRevision keeps any JSON under `data` as it is."""
    spellings = [spell(each) for each in SCALARS if each != "-"]
    listed = "".join(f"  - {each}\n" for each in spellings)
    text = f"apiVersion: apps/v1\nkind: ControllerRevision\nmetadata: {{generateName: a-}}\nrevision: 1\ndata:\n  v:\n{listed}"
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
        data = from_go(answer.read().decode())["data"]
    (document,) = goyaml.documents(text.encode())
    assert isinstance(data, dict)
    assert isinstance(document, dict)
    mine = document["data"]
    assert isinstance(mine, dict)
    assert_same(spellings, data["v"], mine["v"])


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
