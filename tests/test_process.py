from __future__ import annotations

import os
import secrets
import threading
import time
from pathlib import Path

import pytest

from deployer.process import MIB, Leash, Limits, ProgramFailed, ProgramTimedOut, run

ENVIRONMENT = {"PATH": os.environ["PATH"]}


def shell(script: str, tmp_path: Path, *, limits: Limits | None = None, redact: tuple[str, ...] = ()) -> bytes:
    argv = ["sh", "-c", script]
    given = limits or Limits(seconds=10)
    return run(argv, cwd=tmp_path, environment=ENVIRONMENT, limits=given, redact=redact).stdout


def test_gives_what_was_written_and_what_was_read(tmp_path: Path) -> None:
    done = run(["cat"], cwd=tmp_path, environment=ENVIRONMENT, limits=Limits(), stdin=b"caf\xc3\xa9\0")
    assert done.stdout == b"caf\xc3\xa9\0"


def test_nothing_of_our_environment_is_inherited(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEPLOYER_SECRET", secrets.token_hex(8))
    assert b"DEPLOYER_SECRET" not in shell("env", tmp_path)


def test_a_failure_tells_the_code_and_what_the_program_said(tmp_path: Path) -> None:
    with pytest.raises(ProgramFailed, match="exit code 3: no such overlay"):
        shell("echo no such overlay >&2; exit 3", tmp_path)


def test_secrets_do_not_come_back_out(tmp_path: Path) -> None:
    secret = secrets.token_hex(16)
    with pytest.raises(ProgramFailed) as caught:
        shell(f"echo {secret} >&2; exit 1", tmp_path, redact=(secret,))
    assert secret not in str(caught.value)
    assert "[redacted]" in caught.value.stderr


def test_a_program_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ProgramFailed, match="could not be started"):
        run(["no-such-program"], cwd=tmp_path, environment=ENVIRONMENT, limits=Limits())


def test_time_ends_it_and_its_children(tmp_path: Path) -> None:
    mark = tmp_path / "alive"
    began = time.monotonic()
    with pytest.raises(ProgramTimedOut, match=r"still running after 0\.5 s"):
        shell(f"(sleep 2; touch {mark}) & sleep 60", tmp_path, limits=Limits(seconds=0.5))
    assert time.monotonic() - began < 2
    time.sleep(2)
    assert not mark.exists()


def test_another_thread_ends_what_runs_on_a_leash_and_whatever_comes_after(tmp_path: Path) -> None:
    leash, ended = Leash(), list[str]()

    def work() -> None:
        with leash.worn():
            for script in ("sleep 60 & sleep 60", f"touch {tmp_path}/begun"):
                with pytest.raises(ProgramFailed) as failed:
                    shell(script, tmp_path)
                ended.append(failed.value.reason)

    thread = threading.Thread(target=work)
    thread.start()
    time.sleep(0.2)
    assert not ended
    leash.cut()
    thread.join(5)
    assert ended == ["ended by SIGKILL", "not started, since nobody waits for it any more"]
    assert not (tmp_path / "begun").exists()
    assert shell("echo free", tmp_path) == b"free\n"


def test_output_is_limited(tmp_path: Path) -> None:
    with pytest.raises(ProgramFailed):
        shell("exec yes", tmp_path, limits=Limits(seconds=10, output=MIB))


def test_memory_is_limited(tmp_path: Path) -> None:
    script = "import sys; print('begun', file=sys.stderr); x = bytearray(1 << 30)"
    argv = ["python3", "-c", script]
    with pytest.raises(ProgramFailed, match="MemoryError"):
        run(argv, cwd=tmp_path, environment=ENVIRONMENT, limits=Limits(memory=512 * MIB))
