"""Label and field selectors: read from a query, matched against objects.

https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#api
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from deployer.sandbox.kubernetes.errors import bad_request
from deployer.sandbox.kubernetes.objects import Object, at, metadata, section

_KEY = r"(?:[A-Za-z0-9](?:[-A-Za-z0-9_.]*[A-Za-z0-9])?/)?[A-Za-z0-9](?:[-A-Za-z0-9_.]*[A-Za-z0-9])?"
_VALUE = r"(?:[A-Za-z0-9](?:[-A-Za-z0-9_.]*[A-Za-z0-9])?)?"
_SET = re.compile(rf"\s*({_KEY})\s+(in|notin)\s*\(([^()]*)\)\s*")
_EQUALITY = re.compile(rf"\s*({_KEY})\s*(==|=|!=)\s*({_VALUE})\s*")
_ORDER = re.compile(rf"\s*({_KEY})\s*(>|<)\s*(-?[0-9]+)\s*")
_EXISTS = re.compile(rf"\s*(!?)\s*({_KEY})\s*")
_FIELDS: dict[tuple[str, str], tuple[str, ...]] = {
    ("", "pods"): ("spec.nodeName", "spec.restartPolicy", "spec.schedulerName", "spec.serviceAccountName",
                   "spec.hostNetwork", "status.phase", "status.podIP", "status.nominatedNodeName"),
    ("", "events"): ("involvedObject.kind", "involvedObject.namespace", "involvedObject.name", "involvedObject.uid",
                     "involvedObject.apiVersion", "involvedObject.resourceVersion", "involvedObject.fieldPath",
                     "reason", "reportingComponent", "source", "type"),
    ("", "secrets"): ("type",),
    ("", "namespaces"): ("status.phase",),
    ("", "nodes"): ("spec.unschedulable",),
    ("", "services"): ("spec.clusterIP", "spec.type"),
    ("", "replicationcontrollers"): ("status.replicas",),
    ("apps", "replicasets"): ("status.replicas",),
    ("batch", "jobs"): ("status.successful",),
}  # fmt: skip

Test = Callable[[Object], bool]


@dataclass(frozen=True, slots=True)
class Selector:
    """A conjunction of tests. An empty one matches everything."""

    tests: tuple[Test, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.tests)

    def matches(self, obj: Object) -> bool:
        """Whether the object passes every test."""
        return all(test(obj) for test in self.tests)

    def __and__(self, other: Selector) -> Selector:
        return Selector(self.tests + other.tests)


def label_selector(text: str) -> Selector:
    """Read `a=b,c!=d,e in (f,g),h notin (i),j,!k,l>1`.

    Raises:
        ApiError: 400, it cannot be read.
    """
    return Selector(tuple(_label_test(part) for part in _parts(text)))


def field_selector(text: str, *, group: str, plural: str) -> Selector:
    """Read `metadata.name=a,metadata.namespace!=b` and the few fields more that the resource has.

    Raises:
        ApiError: 400, it cannot be read or names a field that cannot be selected by.
    """
    return Selector(tuple(_field_test(part, group, plural) for part in text.split(",") if part.strip()))


def _parts(text: str) -> list[str]:
    """Requirements, split at the commas outside parentheses."""
    return [part for part in re.split(r",(?![^(]*\))", text) if part.strip()] if text.strip() else []


def _label_test(part: str) -> Test:
    if match := _SET.fullmatch(part):
        return _set_test(match[1], match[2], frozenset(value.strip() for value in match[3].split(",")))
    if match := _EQUALITY.fullmatch(part):
        return _set_test(match[1], "notin" if match[2] == "!=" else "in", frozenset([match[3]]))
    if match := _ORDER.fullmatch(part):
        return _order_test(match[1], int(match[3]), greater=match[2] == ">")
    if match := _EXISTS.fullmatch(part):
        return _exists_test(match[2], wanted=not match[1])
    raise bad_request(f"unable to parse requirement: {part.strip()!r} is not a requirement on a label")


def _set_test(key: str, operator: str, values: frozenset[str]) -> Test:
    if operator == "in":
        return lambda obj: section(metadata(obj), "labels").get(key) in values
    return lambda obj: section(metadata(obj), "labels").get(key) not in values


def _order_test(key: str, bound: int, *, greater: bool) -> Test:
    def test(obj: Object) -> bool:
        value = section(metadata(obj), "labels").get(key)
        if not isinstance(value, str) or not re.fullmatch(r"-?[0-9]+", value):
            return False
        return int(value) > bound if greater else int(value) < bound

    return test


def _exists_test(key: str, *, wanted: bool) -> Test:
    return lambda obj: (key in section(metadata(obj), "labels")) is wanted


def _field_test(part: str, group: str, plural: str) -> Test:
    match = re.fullmatch(r"\s*([^=!\s]+)\s*(==|=|!=)\s*(.*?)\s*", part)
    if match is None:
        raise bad_request(f"invalid selector: '{part}'; can't understand '{part}'")
    path, operator, value = match.groups()
    known = ("metadata.name", "metadata.namespace", *_FIELDS.get((group, plural), ()))
    if path not in known:
        supported = ", ".join(f'"{name}"' for name in known[:2])
        raise bad_request(f'"{path}" is not a known field selector: only {supported}')
    keys = path.split(".")
    return lambda obj: (_text(at(obj, *keys)) == value) is (operator != "!=")


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(value)
