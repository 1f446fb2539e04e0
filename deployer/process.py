"""The only door to other programs: argument list, explicit folder and environment, limits, a timeout.

Nothing here knows what is run. No shell, no inherited environment, and no secret in an argument: a secret goes in
through `environment` or `stdin` and is named in `redact`, so that it cannot come back out in a message.
"""

from __future__ import annotations

import contextlib
import os
import resource
import select
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import IO

MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Limits:
    """What one run may use. Sizes in bytes, times in seconds."""

    seconds: float = 60
    memory: int | None = None
    """Address space of each process."""
    output: int = 64 * MIB
    """Size of any one file that it writes, standard output included."""
    cpu: int | None = None
    """Seconds of processor time of each process, all its threads together."""


@dataclass(frozen=True, slots=True)
class Completed:
    """What a program left behind."""

    returncode: int
    stdout: bytes
    stderr: str
    """Decoded, undecodable bytes replaced, redacted."""


class ProgramFailed(Exception):  # noqa: N818 - reads as what happened
    """A program ended badly, ran out of time or of a limit, or is not there.

    `reason` says which in a few words; `stderr` is what the program said (redacted, possibly empty).
    """

    def __init__(self, program: str, reason: str, stderr: str = "") -> None:
        super().__init__(f"{program}: {reason}" + (f": {stderr.strip()}" if stderr.strip() else ""))
        self.program = program
        self.reason = reason
        self.stderr = stderr


class ProgramTimedOut(ProgramFailed):
    """It was still running when its time was up, and was ended with all its children."""


class ProgramWroteTooMuch(ProgramFailed):
    """It wrote a file, or to standard output, beyond `limits.output`, and was ended."""


class Leash:
    """Ends from another thread what a thread runs.

    A process that ends takes its threads along, but not the programs that these wait for.
    """

    def __init__(self) -> None:
        self._child: subprocess.Popen[bytes] | None = None
        self.is_cut = False
        self._changing = threading.Lock()

    @contextlib.contextmanager
    def worn(self) -> Iterator[None]:
        """Be on it: what this thread runs in the block can be ended by `cut`."""
        token = _LEASH.set(self)
        try:
            yield
        finally:
            _LEASH.reset(token)

    def cut(self) -> None:
        """End what is run; nothing more is."""
        with self._changing:
            self.is_cut = True
            if self._child is not None and self._child.returncode is None:
                _kill_session(self._child)

    @contextlib.contextmanager
    def holding(self, child: subprocess.Popen[bytes]) -> Iterator[None]:
        """Have a child on it for as long as it is waited for."""
        with self._changing:
            self._child = child
            if self.is_cut:
                _kill_session(child)
        try:
            yield
        finally:
            with self._changing:
                self._child = None


_LEASH: ContextVar[Leash | None] = ContextVar("leash", default=None)
"""That of the thread."""


def run(  # noqa: PLR0913 - one value per thing that a process is given
    argv: Sequence[str],
    *,
    cwd: Path,
    environment: Mapping[str, str],
    limits: Limits,
    stdin: bytes = b"",
    redact: Sequence[str] = (),
) -> Completed:
    """Run `argv` to its end and return what it wrote.

    Args:
        argv: program and arguments; the program is found through PATH of `environment`.
        cwd: the folder it runs in.
        environment: all of its environment; nothing is inherited.
        limits: what it may use; beyond that it is ended together with its children.
        stdin: what it reads on standard input.
        redact: secrets to replace in what it wrote to standard error.

    Raises:
        ProgramFailed: it is not there, exited with another code than 0, or was ended by a signal; or the leash of this
            thread was cut.
        ProgramTimedOut: `limits.seconds` went by.
        ProgramWroteTooMuch: it wrote more than `limits.output`.
    """
    leash = _LEASH.get()
    if leash is not None and leash.is_cut:
        raise ProgramFailed(argv[0], "not started, since nobody waits for it any more")
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err, tempfile.TemporaryFile() as given:
        given.write(stdin)
        given.seek(0)
        try:
            child = subprocess.Popen(
                list(argv),
                cwd=cwd,
                env=dict(environment),
                stdin=given,
                stdout=out,
                stderr=err,
                start_new_session=True,
            )
        except OSError as error:
            raise ProgramFailed(argv[0], f"could not be started ({error.strerror})") from error
        _limit(child, limits)
        with leash.holding(child) if leash else contextlib.nullcontext():
            timed_out = _wait(child, limits.seconds)
        stderr = _redacted(_read(err, MIB).decode(errors="replace"), redact)
        if timed_out:
            raise ProgramTimedOut(argv[0], f"still running after {limits.seconds:g} s, ended", stderr)
        if child.returncode == -signal.SIGXFSZ:
            raise ProgramWroteTooMuch(argv[0], "wrote more than it may", stderr)
        if child.returncode != 0:
            raise ProgramFailed(argv[0], _ending(child.returncode), stderr)
        return Completed(child.returncode, _read(out, limits.output), stderr)


@contextlib.contextmanager
def background(
    argv: Sequence[str], *, cwd: Path, environment: Mapping[str, str], log: Path
) -> Iterator[subprocess.Popen[bytes]]:
    """Run `argv` beside us until the block ends; then ask it to stop, and make it stop after ten seconds.

    What it writes goes to the file `log`. Its environment is all of `environment`; nothing is inherited.

    Raises:
        ProgramFailed: it is not there.
    """
    with log.open("ab") as written:
        try:
            child = subprocess.Popen(
                list(argv),
                cwd=cwd,
                env=dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=written,
                stderr=written,
                start_new_session=True,
            )
        except OSError as error:
            raise ProgramFailed(argv[0], f"could not be started ({error.strerror})") from error
    try:
        yield child
    finally:
        child.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(timeout=10)
        _end_session(child)


def _limit(child: subprocess.Popen[bytes], limits: Limits) -> None:
    """Limit a child from outside: setting limits inside it, before it starts, would mean to copy this whole process.

    Only Linux can do this. Elsewhere nothing but the time is limited.
    """
    if sys.platform != "linux":
        return
    with contextlib.suppress(ProcessLookupError):
        resource.prlimit(child.pid, resource.RLIMIT_CORE, (0, 0))
        resource.prlimit(child.pid, resource.RLIMIT_FSIZE, (limits.output, limits.output))
        if limits.memory is not None:
            resource.prlimit(child.pid, resource.RLIMIT_AS, (limits.memory, limits.memory))
        if limits.cpu is not None:
            resource.prlimit(child.pid, resource.RLIMIT_CPU, (limits.cpu, limits.cpu + 1))


def _wait(child: subprocess.Popen[bytes], seconds: float) -> bool:
    """Wait for the child's end or until the time is up, then end what is left of its session.

    Returns:
        Whether the time was up.
    """
    try:
        return not _ended_within(child, seconds)
    finally:
        _end_session(child)


def _ended_within(child: subprocess.Popen[bytes], seconds: float) -> bool:
    """Wait at most so long. Where the system can wake us at the end (Linux), no time is lost by looking again."""
    if hasattr(os, "pidfd_open"):
        handle = os.pidfd_open(child.pid)
        try:
            poll = select.poll()
            poll.register(handle, select.POLLIN)
            return bool(poll.poll(seconds * 1000))
        finally:
            os.close(handle)
    try:
        child.wait(timeout=seconds)
    except subprocess.TimeoutExpired:
        return False
    return True


def _end_session(child: subprocess.Popen[bytes]) -> None:
    _kill_session(child)
    child.wait()


def _kill_session(child: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(child.pid, signal.SIGKILL)


def _read(file: IO[bytes], most: int) -> bytes:
    file.seek(0)
    return file.read(min(most, os.fstat(file.fileno()).st_size))


def _redacted(text: str, secrets: Sequence[str]) -> str:
    for secret in filter(None, secrets):
        text = text.replace(secret, "[redacted]")
    return text


def _ending(returncode: int) -> str:
    if returncode >= 0:
        return f"exit code {returncode}"
    return f"ended by {signal.Signals(-returncode).name}"
