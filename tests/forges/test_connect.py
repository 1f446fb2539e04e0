from __future__ import annotations

import secrets
import subprocess
import sys
from pathlib import Path

import pytest

from deployer.forges.connect import connect
from deployer.forges.github import GitHub
from deployer.forges.gitlab import GitLab
from deployer.model import ForgeKind, Permanent, Temporary
from deployer.settings import EnvSecret, FileSecret, ForgeSettings


@pytest.mark.parametrize(("kind", "client"), [(ForgeKind.GITHUB, GitHub), (ForgeKind.GITLAB, GitLab)])
def test_each_kind_of_forge_has_its_client(token: str, kind: ForgeKind, client: type[object]) -> None:
    assert isinstance(connect(ForgeSettings(kind=kind, token=EnvSecret(env="FORGE_TOKEN"))), client)


@pytest.mark.parametrize("kind", ForgeKind)
def test_without_a_token_there_is_nothing_to_report_with(kind: ForgeKind, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("GITHUB_TOKEN", "GH_TOKEN", "GITLAB_TOKEN", "CI_JOB_TOKEN"):
        monkeypatch.setenv(name, secrets.token_hex(20))
    assert connect(ForgeSettings(kind=kind)) is None


@pytest.mark.parametrize("kind", ForgeKind)
@pytest.mark.parametrize("spoiler", [" ", "\n", "\r\nX-Other: 1", "é", "\x00"])
def test_a_token_that_fits_in_no_header_is_refused_and_not_shown(tmp_path: Path, kind: ForgeKind, spoiler: str) -> None:
    path, half = tmp_path / "token", secrets.token_hex(10)
    path.write_bytes(f"{half}{spoiler}{half}".encode())
    with pytest.raises(Permanent, match=f"a {kind} forge: its token .*check the secret") as caught:
        connect(ForgeSettings(kind=kind, token=FileSecret(file=path)))
    assert half not in str(caught.value)


@pytest.mark.parametrize("kind", ForgeKind)
def test_a_token_that_is_being_replaced_is_waited_for(tmp_path: Path, kind: ForgeKind) -> None:
    settings = ForgeSettings(kind=kind, token=FileSecret(file=tmp_path / "token"))
    with pytest.raises(Temporary, match="cannot be read: No such file"):
        connect(settings)
    (tmp_path / "token").write_text(secrets.token_hex(20))
    assert connect(settings) is not None


def test_the_words_are_written_without_importing_a_client() -> None:
    program = "import sys, deployer.forges.report; print({'github', 'gitlab', 'requests'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
