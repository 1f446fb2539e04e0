"""The cluster's record of who manages which field, and what is read out of it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from deployer.cluster import record
from deployer.cluster.attribution import maker, writer

AT = "2026-11-23T14:02:33Z"


def entry(manager: str, fields: Any, *, operation: str = "Update", at: Any = AT, **rest: Any) -> dict[str, Any]:
    return {"manager": manager, "operation": operation, "time": at, "fieldsV1": fields, **rest}


def live(*entries: Any, **content: Any) -> dict[str, Any]:
    return {"metadata": {"managedFields": list(entries)}, **content}


def written_by(content: dict[str, Any], *place: str | int) -> str | None:
    found = writer(content, place)
    return found.manager if found else None


def test_an_entry_is_read() -> None:
    (found,) = record.entries(live(entry("kubectl", {"f:spec": {}}, subresource="scale")))

    assert (found.manager, found.applies, found.subresource) == ("kubectl", False, "scale")
    assert found.at == datetime(2026, 11, 23, 14, 2, 33, tzinfo=UTC)
    assert not found.is_ours


@pytest.mark.parametrize(
    ("made", "ours"),
    [
        (entry("deployer", {}, operation="Apply"), True),
        (entry("deployer", {}), False),
        (entry("deployer", {}, operation="Apply", subresource="status"), False),
        (entry("other", {}, operation="Apply"), False),
    ],
)
def test_ours_is_what_we_apply(made: dict[str, Any], *, ours: bool) -> None:
    assert [each.is_ours for each in record.entries(live(made))] == [ours]


@pytest.mark.parametrize("at", [None, "", "yesterday", 7])
def test_a_time_that_is_none_is_not_known(at: Any) -> None:
    assert record.entries(live(entry("a", {}, at=at)))[0].at is None


@pytest.mark.parametrize(
    "content", [None, {}, {"metadata": None}, {"metadata": {"managedFields": 3}}, live(3, {}, {"fieldsV1": []})]
)
def test_a_record_that_is_not_there_or_not_well_formed_is_empty(content: Any) -> None:
    assert record.entries(content) == ()


def test_records_are_put_together() -> None:
    one: Any = {"f:spec": {"f:a": {}, "f:b": {"f:c": {}}}}
    other: Any = {"f:spec": {"f:b": {"f:d": {}}}, "f:x": {}}

    assert record.merged([one, other]) == {"f:spec": {"f:a": {}, "f:b": {"f:c": {}, "f:d": {}}}, "f:x": {}}
    assert one == {"f:spec": {"f:a": {}, "f:b": {"f:c": {}}}}


CONTAINERS: Any = {"f:spec": {"f:containers": {'k:{"name":"main"}': {".": {}, "f:image": {}}}}}
PORTS: Any = {"f:spec": {"f:ports": {'k:{"port":80,"protocol":"TCP"}': {"f:targetPort": {}}}}}


def test_a_field_of_an_item_is_its_managers_wherever_the_item_is() -> None:
    spec = {"containers": [{"name": "side", "image": "s"}, {"name": "main", "image": "m"}]}
    content = live(entry("a", CONTAINERS), spec=spec)

    assert written_by(content, "spec", "containers", 1, "image") == "a"
    assert written_by(content, "spec", "containers", 1) == "a"
    assert written_by(content, "spec", "containers", 0, "image") is None
    assert written_by(content, "spec", "containers", 1, "name") is None


def test_a_default_part_of_a_key_need_not_be_written() -> None:
    content = live(entry("a", PORTS), spec={"ports": [{"port": 80, "targetPort": 1}]})

    assert written_by(content, "spec", "ports", 0, "targetPort") == "a"


def test_all_of_an_atomic_value_is_its_managers_also_what_is_gone() -> None:
    content = live(entry("a", {"f:spec": {"f:args": {}, "f:selector": {}}}), spec={"args": ["x"], "selector": {}})

    assert written_by(content, "spec", "args", 0) == "a"
    assert written_by(content, "spec", "selector", "gone") == "a"


def test_what_was_removed_from_a_map_or_list_with_several_owners_is_nobodys() -> None:
    content = live(entry("a", {"f:data": {".": {}, "f:x": {}}}), entry("b", CONTAINERS), data={"x": "1"}, spec={})

    assert written_by(content, "data", "gone") is None
    assert written_by(content, "spec", "containers") is None


def test_the_newest_is_named_and_never_we_as_who_applies() -> None:
    fields: Any = {"f:data": {"f:x": {}}}
    content = live(
        entry("deployer", fields, operation="Apply", at="2026-11-23T15:00:00Z"),
        entry("older", fields, operation="Apply", at="2026-11-22T14:00:00Z"),
        entry("newer", fields),
        entry("undated", fields, at=None),
        data={"x": "1"},
    )

    assert written_by(content, "data", "x") == "newer"
    assert written_by(live(entry("deployer", fields, operation="Apply"), data={"x": "1"}), "data", "x") is None


def test_who_made_an_object_is_who_is_on_record_longest() -> None:
    first, second = entry("first", {}, at="2026-11-20T00:00:00Z"), entry("second", {})

    found = maker(live(second, first))

    assert found is not None
    assert found.manager == "first"
    assert maker(live()) is None
