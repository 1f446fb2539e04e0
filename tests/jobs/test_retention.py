from __future__ import annotations

from datetime import UTC, datetime, timedelta

from structlog.testing import capture_logs

from jobs.retention import TOGETHER, retain_with
from tests.jobs.world import World

KEPT = timedelta(days=90)


def written(world: World, count: int) -> str:
    """Rows written now, by the clock of Redis; gives the head after them."""
    for number in range(count):
        world.given.store.audit.add("received", at=world.clock(), delivery=str(number))
    return world.given.store.audit.head


def at(world: World, since: timedelta) -> None:
    world.clock.now = datetime.now(UTC) + since


def test_rows_stay_as_long_as_the_settings_say(world: World) -> None:
    head = written(world, 3)
    for since in (timedelta(0), KEPT - timedelta(minutes=1), KEPT + TOGETHER - timedelta(minutes=1)):
        at(world, since)
        retain_with(world.given)
    assert world.given.store.audit.head == head


def test_then_they_go_in_one_row(world: World) -> None:
    head = written(world, 3)
    at(world, KEPT + TOGETHER + timedelta(minutes=1))
    retain_with(world.given)
    (row,) = world.given.store.audit.rows()
    assert (row.what, row.at, row.fields) == ("trimmed", world.clock(), {"rows": 3, "first": 4, "before": head})
    world.given.store.audit.verify(noted=head)


def test_the_log_has_the_head_each_time(world: World) -> None:
    head = written(world, 3)
    with capture_logs() as lines:
        retain_with(world.given)
    assert lines == [{"event": "audit", "head": head, "log_level": "info"}]


def test_no_audit_is_no_matter(world: World) -> None:
    retain_with(world.given)
    assert world.given.store.audit.head == ""
