"""Overlays are rendered by the real kustomize, within limits, and its failures become short reasons without secrets."""

from __future__ import annotations

import re
import secrets
import socket
import sys
import time
import traceback
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from deployer.forges import report
from deployer.model import Failure, Permanent, Stage, Temporary
from deployer.process import MIB, Limits
from deployer.source import kustomize
from deployer.source.kustomize import Options
from deployer.source.manifests import parse

CONFIG = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {x: y}\n"
SECRET = "apiVersion: v1\nkind: Secret\nmetadata: {name: a}\nstringData: {password: x}\n"
OVERLAY = "deploy/overlays/staging"
BASE = {"deploy/base/kustomization.yaml": "resources: [config.yaml]\n", "deploy/base/config.yaml": CONFIG}
GOOD = {**BASE, f"{OVERLAY}/kustomization.yaml": "resources: [../../base]\nnamespace: shop\n"}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "repository"


def write(root: Path, files: Mapping[str, str]) -> None:
    for name, content in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(content, errors="surrogateescape")


def refused(root: Path, files: Mapping[str, str], overlay: str = OVERLAY) -> str:
    write(root, files)
    with pytest.raises(Permanent) as error:
        kustomize.render(root, overlay, options=Options())
    assert error.value.stage is Stage.RENDER
    assert str(root.parent) not in error.value.message
    return error.value.message


def overlay(kustomization: str, **files: str) -> dict[str, str]:
    """The overlay with this kustomization, beside a good base."""
    return {**GOOD, f"{OVERLAY}/kustomization.yaml": kustomization} | {
        f"{OVERLAY}/{k}.yaml": v for k, v in files.items()
    }


def test_an_overlay_is_rendered_with_its_base(root: Path) -> None:
    write(root, GOOD)
    (only,) = parse(kustomize.render(root, OVERLAY, options=Options())).objects
    assert str(only.ref) == "ConfigMap shop/a"


@pytest.mark.thorough
def test_an_overlay_with_a_thousand_objects_is_rendered(root: Path) -> None:
    many = "---\n".join(CONFIG.replace("name: a", f"name: a{n}") for n in range(1000))
    write(root, {**GOOD, "deploy/base/config.yaml": many})
    assert len(parse(kustomize.render(root, OVERLAY, options=Options())).objects) == 1000


def test_an_overlay_without_resources_renders_to_nothing(root: Path) -> None:
    write(root, overlay("resources: []\nnamePrefix: x-\n"))
    assert kustomize.render(root, OVERLAY, options=Options()) == b""


def test_the_root_of_the_repository_can_be_an_overlay(root: Path) -> None:
    write(root, {"kustomization.yaml": "resources: [x.yaml]\n", "x.yaml": CONFIG})
    assert b"ConfigMap" in kustomize.render(root, ".", options=Options())


@pytest.mark.parametrize(
    ("kustomization", "message"),
    [
        ("resources: [missing.yaml]\n", f"accumulating resources: {OVERLAY}/missing.yaml: no such file or directory"),
        ("resources: [../../gone]\n", "accumulating resources: deploy/gone: no such file or directory"),
        (
            "resources: [../staging]\n",
            f"accumulating resources: cycle detected: candidate root '{OVERLAY}' contains visited root '{OVERLAY}'",
        ),
        (
            "resources: [../../base/config.yaml]\n",
            f"accumulating resources: security; file 'deploy/base/config.yaml' is not in or below '{OVERLAY}'",
        ),
        ("resorces: []\n", 'invalid Kustomization: json: unknown field "resorces"'),
        ("resources: [\n", "invalid Kustomization: yaml: line 1: did not find expected node content"),
        ("", "kustomization.yaml is empty"),
        (
            "resources: [https://192.0.2.1/x.yaml]\n",
            "accumulating resources: https://192.0.2.1/x.yaml is remote, and remote resources are not fetched; "
            "copy it into the repository",
        ),
        (
            'resources: ["git::https://192.0.2.1/acme/shop//deploy?ref=main"]\n',
            "accumulating resources: git::https://192.0.2.1/acme/shop//deploy?ref=main is remote, and remote resources "
            "are not fetched; copy it into the repository",
        ),
    ],
)
def test_the_reason_of_kustomize_is_told_without_its_wrapping(root: Path, kustomization: str, message: str) -> None:
    assert refused(root, overlay(kustomization)) == message


def test_a_failure_in_a_base_names_the_base(root: Path) -> None:
    missing = {**GOOD, "deploy/base/kustomization.yaml": "resources: [config.yaml, missing.yaml]\n"}
    assert refused(root, missing) == "accumulating resources: deploy/base/missing.yaml: no such file or directory"
    malformed = {**GOOD, "deploy/base/config.yaml": "a: b: c\n"}
    message = refused(root, malformed)
    assert message.startswith("accumulating resources: deploy/base: ")
    assert "config.yaml" in message


def test_a_reason_fits_a_commit_status(root: Path) -> None:
    write(root, overlay("resources: [missing.yaml]\n"))
    with pytest.raises(Permanent) as error:
        kustomize.render(root, OVERLAY, options=Options())
    description = report.cut(report.failure_summary(error.value), 140)
    assert description == f"render: accumulating resources: {OVERLAY}/missing.yaml: no such file or directory"


def test_a_warning_of_kustomize_is_not_taken_for_the_reason(root: Path) -> None:
    message = refused(root, overlay("commonLabels: {a: b}\nresources: [missing.yaml]\n"))
    assert message.startswith("accumulating resources: ")


def test_a_very_long_reason_keeps_both_ends(root: Path) -> None:
    message = refused(root, overlay(f'resources: ["{"x" * 200}/{"/".join(["y" * 200] * 15)}"]\n'))
    assert len(message) < 2100
    assert message.startswith("accumulating resources: ")


def test_a_link_that_stays_in_the_repository_is_followed(root: Path) -> None:
    write(root, GOOD)
    (root / "current").symlink_to(OVERLAY)
    assert b"namespace: shop" in kustomize.render(root, "current", options=Options())


@pytest.mark.parametrize(
    ("kustomization", "generator", "reason"),
    [
        ("helmCharts: [{name: x, repo: 'https://192.0.2.1'}]\n", CONFIG, "enable-helm"),
        ("generators: [g.yaml]\n", "apiVersion: a/v1\nkind: T\nmetadata: {name: x}\n", "plugins disabled"),
        (
            "transformers: [g.yaml]\nresources: [../../base]\n",
            "apiVersion: a/v1\nkind: T\nmetadata:\n  name: x\n  annotations:\n"
            "    config.kubernetes.io/function: |\n      exec: {path: ./run}\n",
            "plugins disabled",
        ),
    ],
)
def test_nothing_of_the_repository_is_run(root: Path, kustomization: str, generator: str, reason: str) -> None:
    assert reason in refused(root, overlay(kustomization, g=generator))


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        listening.settimeout(0.2)
        yield listening


def test_a_base_in_git_is_not_fetched(root: Path, listener: socket.socket) -> None:
    port = listener.getsockname()[1]
    assert "is remote" in refused(root, overlay(f'resources: ["git::http://127.0.0.1:{port}/acme/shop.git"]\n'))
    with pytest.raises(TimeoutError):
        listener.accept()


def test_nothing_of_our_environment_reaches_what_is_rendered(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A line without a value in an env file takes it from kustomize's environment."""
    monkeypatch.setenv("DEPLOYER_API_TOKEN", secrets.token_hex(8))
    write(root, overlay("configMapGenerator: [{name: a, envs: [e.yaml]}]\n", e="DEPLOYER_API_TOKEN\nPATH\n"))
    rendered = kustomize.render(root, OVERLAY, options=Options()).decode()
    assert 'DEPLOYER_API_TOKEN: ""' in rendered
    assert 'PATH: ""' in rendered


def bomb() -> str:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 10)]
    return CONFIG + "".join(f"{line}\n" for line in lines)


@pytest.mark.thorough
def test_an_alias_bomb_is_stopped_by_the_memory_limit(root: Path) -> None:
    begun = time.monotonic()
    message = refused(root, overlay("resources: [x.yaml]\n", x=bomb()))
    assert message == f"kustomize needs more than the 2048 MiB of memory that it may use for {OVERLAY} and was stopped"
    assert time.monotonic() - begun < 20


def test_yaml_without_bottom_is_refused(root: Path) -> None:
    deep = f"{CONFIG}deep: {'[' * 20_000}{']' * 20_000}\n"
    assert "depth" in refused(root, overlay("resources: [x.yaml]\n", x=deep))


@pytest.mark.parametrize(
    ("limits", "reason"),
    [
        (Limits(seconds=0.01), "needs more than the 0.01 s that it may take"),
        (Limits(memory=300 * MIB), "needs more than the 300 MiB of memory"),
        (Limits(output=MIB // 4), "makes more than the 0.25 MiB of manifests"),
    ],
)
def test_each_limit_ends_it_and_is_named(root: Path, limits: Limits, reason: str) -> None:
    write(root, {**GOOD, "deploy/base/config.yaml": CONFIG.replace("x: y", f"x: {'y' * MIB}")})
    with pytest.raises(Permanent, match=reason):
        kustomize.render(root, OVERLAY, options=Options(), limits=limits)


OPERATION = "[{op: replace, path: /stringData/password, value: VALUE}]\n"
PATCHER = "resources: [../other]\ntransformers: [x.yaml]\n"
TARGET = "target: {version: v1, kind: Secret, name: a}"
TWICE = "{name: a, literals: [a=VALUE]}"
SECRETIVE = {
    "a literal": ("secretGenerator: [{name: a, literals: [a=VALUE, VALUE]}]\n", ""),
    "a twice-given literal": ("secretGenerator: [{name: a, literals: [a=VALUE, a=VALUE]}]\n", ""),
    "a malformed patch": ("resources: [../../base]\npatches:\n- patch: |\n    a: VALUE\n    b: [\n", ""),
    "a patch without a name": (
        "resources: [../../base]\npatches: [{path: x.yaml}]\n",
        "kind: Secret\ndata: {a: VALUE}\n",
    ),
    "a replacement": (
        "resources: [x.yaml]\nreplacements:\n- source: {kind: Secret, fieldPath: stringData.password.x}\n"
        "  targets: [{select: {kind: Secret}, fieldPaths: [stringData.b]}]\n",
        SECRET.replace("password: x", "password: VALUE"),
    ),
    "a replacement beyond the end": (
        "resources: [x.yaml]\nreplacements:\n- source: {kind: Secret, fieldPath: stringData.password, "
        "options: {delimiter: '-', index: 7}}\n  targets: [{select: {kind: Secret}, fieldPaths: [stringData.b]}]\n",
        SECRET.replace("password: x", "password: VALUE"),
    ),
    "a key that is no string": (
        "resources: [x.yaml]\n",
        SECRET.replace("password: x", "password: &p VALUE, other: *p, 1.5: VALUE"),
    ),
    "a mapping for a string": ("resources: [x.yaml]\nnamePrefix: y\n", SECRET.replace("name: a", "name: {a: VALUE}")),
    "an unfinished string": ("resources: [x.yaml]\n", SECRET.replace("password: x}", 'password: "VALUE}')),
    "a malformed generator": ("secretGenerator: [{name: a, literals: VALUE}]\n", ""),
    "a generator of the wrong kind": ("secretGenerator: VALUE\n", ""),
    "an unreadable env file": ("secretGenerator: [{name: a, envs: [x.env]}]\n", "a=b\n\udcff=VALUE\n"),
    "operations that are no JSON": (
        f"resources: [../other]\npatchesJson6902:\n- {{path: x.yaml, {TARGET}}}\n",
        OPERATION,
    ),
    "operations that are a text": (
        PATCHER,
        f"apiVersion: builtin\nkind: PatchJson6902Transformer\nmetadata: {{name: t}}\n{TARGET}\njsonOp: x VALUE\n",
    ),
    "a patch and its path": (
        PATCHER,
        "apiVersion: builtin\nkind: PatchTransformer\nmetadata: {name: t}\npath: a\npatch: x VALUE\n",
    ),
    "a patch under no name": (
        PATCHER,
        "apiVersion: builtin\nkind: PatchTransformer\nmetadata: {name: t}\npatches: x VALUE\n",
    ),
    "operations without a target": (
        "resources: [../other]\npatches:\n- patch: |\n    - {op: add, path: /data, value: VALUE}\n",
        "",
    ),
    "two patches for one target": (
        "resources: [../other]\npatches:\n- target: {kind: Secret}\n  patch: |\n"
        + "    ---\n".join(["    kind: Secret\n    metadata: {name: a}\n    stringData: {a: VALUE}\n"] * 2),
        "",
    ),
    "a Secret that is made twice": (f"secretGenerator: [{TWICE}, {TWICE}]\n", ""),
    "a file that is none": ("secretGenerator: [{name: a, files: [a=b=VALUE]}]\n", ""),
    "a key without a file": ("secretGenerator: [{name: a, files: [VALUE=]}]\n", ""),
    "a value for a separator": ("resources: [x.yaml]\n", f"{SECRET}---VALUE\na: b\n"),
    "a patch that does not fit": (
        "resources: [../other]\npatches: [{path: x.yaml}]\n",
        SECRET.replace("{password: x}", "[VALUE]"),
    ),
}


@pytest.mark.parametrize("name", SECRETIVE)
def test_no_value_of_a_secret_is_in_a_failure(root: Path, name: str) -> None:
    value = f"hunter{secrets.token_hex(8)}"
    kustomization, file = (each.replace("VALUE", value) for each in SECRETIVE[name])
    write(root, overlay(kustomization, x=file) | {f"{OVERLAY}/x.env": file})
    write(root, {"deploy/overlays/other/kustomization.yaml": "resources: [x.yaml]\n"})
    write(root, {"deploy/overlays/other/x.yaml": SECRET})
    with pytest.raises(Failure) as error:
        kustomize.render(root, OVERLAY, options=Options())
    assert "hunter" not in "".join(traceback.format_exception(error.value))


def program(folder: Path, name: str, script: str) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(f"#!/bin/sh\n{script}\n")
    (folder / name).chmod(0o700)
    return folder


def test_kustomize_itself_is_preferred(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = 'test "$1" = version && echo v9.9.9 || echo "# $*"'
    monkeypatch.setenv("PATH", str(program(root.parent / "bin", "kustomize", script)))
    write(root, GOOD)
    assert kustomize.render(root, OVERLAY, options=Options()).decode() == f"# build {root / OVERLAY}\n"
    assert kustomize.version() == "kustomize v9.9.9"


def test_the_kustomize_in_kubectl_is_known_by_its_version(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    assert re.fullmatch(r"kustomize v5\.[0-9.]+ in kubectl v1\.[0-9.]+", kustomize.version())


def test_without_kustomize_and_kubectl_it_says_what_to_install(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr(sys, "executable", str(root / "python"))
    assert "install kustomize" in refused(root, GOOD)
    with pytest.raises(Permanent):
        kustomize.version()


@pytest.mark.parametrize(
    ("script", "kind", "reason"),
    [
        ("kill -9 $$", Temporary, "ended by SIGKILL"),
        ("exit 3", Permanent, "exit code 3"),
        ("echo 'panic: runtime error: index out of range' >&2; exit 2", Permanent, "crashed: runtime error: index"),
        ("echo 'Error: no way' >&2; exit 1", Permanent, "^no way$"),
    ],
)
def test_however_it_ends_there_is_a_reason(
    root: Path, monkeypatch: pytest.MonkeyPatch, script: str, kind: type[Failure], reason: str
) -> None:
    monkeypatch.setenv("PATH", str(program(root.parent / "bin", "kustomize", script)))
    write(root, GOOD)
    with pytest.raises(kind, match=reason):
        kustomize.render(root, OVERLAY, options=Options())


def test_a_program_that_cannot_be_started_may_work_later(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = program(root.parent / "bin", "kustomize", "")
    (folder / "kustomize").write_text("#!/nowhere/at/all\n")
    monkeypatch.setenv("PATH", str(folder))
    write(root, GOOD)
    with pytest.raises(Temporary, match="could not be started"):
        kustomize.render(root, OVERLAY, options=Options())


@pytest.mark.parametrize(
    "kustomization",
    [
        "resources: [secret.yaml]\n",
        "patchesStrategicMerge: ['stringData: {a: hunter2}']\n",
        "resources: [anchor.yaml]\n",
        "resources: [keys.yaml]\n",
    ],
)
def test_a_reason_never_quotes_a_value(root: Path, kustomization: str) -> None:
    secret = "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\n"
    files = {
        "secret": secret + "stringData: {a: !!int hunter2}\n",
        "anchor": secret + "stringData: {a: *hunter2}\n",
        "keys": secret + "stringData: {? {hunter2: x} : y}\n",
    }
    assert "hunter2" not in refused(root, overlay(kustomization, **files))
