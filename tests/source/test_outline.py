"""Where the fields of a YAML text stand, whatever the text is."""

from __future__ import annotations

import pytest

from deployer.source.allowance import TooMuch, at_most
from deployer.source.goyaml import MAX_DEPTH
from deployer.source.outline import outlines

TEXT = b"""\
# two documents
kind: Service
metadata: {name: web}
spec:
  ports:
  - port: 80
    name: http
  - {port: 443}
---
kind: ConfigMap
metadata:
  name: &name greeting
data:
  name: *name
  text: |
    kind: Deployment
"""


def test_each_field_of_each_document_has_its_line() -> None:
    service, config = outlines(TEXT)
    assert (service.kind, service.name) == ("Service", "web")
    assert service.lines["spec",] == 4
    assert service.lines["spec", "ports", 0, "name"] == 7
    assert service.lines["spec", "ports", 1] == service.lines["spec", "ports", 1, "port"] == 8
    assert service.scalars["spec", "ports", 1, "port"] == "443"
    assert (config.kind, config.name) == ("ConfigMap", "greeting")
    assert [config.lines["data", key] for key in ("name", "text")] == [14, 15]


@pytest.mark.parametrize(
    ("text", "kinds"),
    [
        (b"", []),
        (b"\xff\xfe", []),
        (b"just words", [""]),
        (b"[1, {a: b}]", [""]),
        (b"? [a, b]\n: c\n? {d: e}\n: f\nkind: g", [""]),
        (b"kind: A\n---\nkind: [", ["A"]),
        (b"kind: A\n---\nkind: " + b"[" * (MAX_DEPTH + 1) + b"]" * (MAX_DEPTH + 1) + b"\n---\nkind: B", ["A"]),
        (b"&a a: &b [*a, *b]\nkind: A", ["A"]),
    ],
)
def test_a_text_is_read_as_far_as_somebody_would_read_it(text: bytes, kinds: list[str]) -> None:
    assert [each.kind for each in outlines(text)] == kinds


def test_what_is_deep_costs_more_than_what_is_not() -> None:
    """A path is kept for each value: of 60,000 values 198 deep they take 100 MB."""
    with at_most(40_000), pytest.raises(TooMuch):
        list(outlines(b"a: " + b"[" * 198 + b"x," * 4000 + b"]" * 198))
    with at_most(10_000):
        (flat,) = outlines(b"a: [" + b"x," * 4000 + b"]")
    assert len(flat.lines) == 4002


def test_of_long_keys_and_values_only_the_beginning_is_kept() -> None:
    (found,) = outlines(b"? " + b"k" * 5000 + b"\n: " + b"v" * 5000)
    ((key,), value) = next((path, value) for path, value in found.scalars.items() if path)
    assert (len(str(key)), len(value)) == (400, 400)


def test_a_text_costs_no_more_than_is_allowed() -> None:
    with at_most(1000), pytest.raises(TooMuch):
        list(outlines(b"a: {b: c}\n---\n" * 1000))
