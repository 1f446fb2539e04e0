from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from deployer.loaded import record
from deployer.settings import SettingsError, surroundings
from deployer.store import Store
from deployer.store.audit import Audit
from deployer.store.connection import connect
from tests.control_plane import free_port
from tests.examples import NOON, after


def test_a_process_that_loads_other_settings_says_so_once(store: Store, tmp_path: Path) -> None:
    file = tmp_path / "deployer.yaml"
    around = surroundings({"DEPLOYER_CONFIG": str(file), "HOME": str(tmp_path)})
    for text in ("url: a", "url: a", "url: b"):
        file.write_text(text)
        record(store.audit, around, by="worker", at=NOON)
    record(store.audit, around, by="clock", at=after(1))
    found = [(row.what, row.at, row.fields["process"], row.fields["digest"]) for row in store.audit.rows()]
    one, two = (hashlib.sha256(text.encode()).hexdigest() for text in ("url: a", "url: b"))
    assert found == [
        ("settings", NOON, "worker", one),
        ("settings", NOON, "worker", two),
        ("settings", after(1), "clock", two),
    ]


def test_a_redis_that_is_away_stops_nobody(tmp_path: Path) -> None:
    (tmp_path / "deployer.yaml").write_text("url: a")
    around = surroundings({"DEPLOYER_CONFIG": str(tmp_path / "deployer.yaml"), "HOME": str(tmp_path)})
    with connect(f"redis://127.0.0.1:{free_port()}/0") as redis, capture_logs() as lines:
        record(Audit(redis), around, by="web", at=NOON)
    assert [line["event"] for line in lines] == ["settings", "settings not in the audit"]


def test_a_file_that_has_gone_is_said(store: Store, tmp_path: Path) -> None:
    around = surroundings({"DEPLOYER_CONFIG": str(tmp_path / "none.yaml"), "HOME": str(tmp_path)})
    with pytest.raises(SettingsError, match="cannot be read"):
        record(store.audit, around, by="web", at=NOON)
