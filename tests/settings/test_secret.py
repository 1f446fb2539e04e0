"""References to secrets: followed at the start and whenever they are needed, shown nowhere."""

from __future__ import annotations

import base64
import logging
import secrets
from collections.abc import Callable
from pathlib import Path

import pytest
from pydantic import ValidationError

from deployer.settings import EnvSecret, FileSecret, ForgeSettings, SecretUnavailable, SettingsError, load
from tests.settings.conftest import Complain, Content

SHAPE = "expected {env: NAME} or {file: PATH}; a secret is never written into this file"
PASTED = secrets.token_hex()


@pytest.mark.parametrize(
    ("written", "mistake"),
    [
        (PASTED, SHAPE),
        (12345678, SHAPE),
        ([PASTED], SHAPE),
        ({}, SHAPE),
        ({PASTED: None}, SHAPE),
        ({PASTED: PASTED, "env": PASTED}, SHAPE),
        ({"evn": PASTED}, f'{SHAPE}; did you mean "env"?'),
        ({"path": PASTED}, SHAPE),
        ({"env": "TOKEN", "file": PASTED}, "expected env or file, not both"),
        ({"env": f"a{PASTED}"}, "the environment variable named here is not set"),
        ({"file": PASTED}, "the file named here cannot be read: No such file or directory"),
    ],
    ids=lambda value: type(value).__name__,  # not the value, which is another one in each run
)
@pytest.mark.parametrize("place", ["forges.github.token", "api_tokens[0]", "forges.gitlab.signing_secrets[0]"])
def test_a_secret_that_is_written_out_is_refused_and_never_shown(
    place: str, written: object, mistake: str, complain: Complain, content: Content
) -> None:
    match place:
        case "forges.github.token":
            content["forges"]["github"]["token"] = written
        case "api_tokens[0]":
            content["api_tokens"] = [written]
        case _:
            content["forges"]["gitlab"]["signing_secrets"] = [written]
    assert complain(content) == (f"{place}: {mistake}",)


@pytest.mark.parametrize(
    ("reference", "mistake"),
    [
        ({"env": f"ghp-{PASTED}"}, ".env: expected the name of an environment variable, not the secret itself"),
        ({"file": f"-----BEGIN\n{PASTED}\n"}, ".file: expected the path of a file, not the secret itself"),
        ({"file": ""}, ".file: expected the path of a file, not the secret itself"),
        ({"env": 5}, ".env: expected text, found a number; quote it"),
        ({"env": "NOT_SET"}, ": environment variable NOT_SET is not set"),
        ({"env": "EMPTY"}, ": environment variable EMPTY is empty"),
        ({"env": "BLANK"}, ": environment variable BLANK is empty"),
        ({"env": "BYTES"}, ": environment variable BYTES is not text in UTF-8"),
        ({"file": "/not/there"}, ": file /not/there cannot be read: No such file or directory"),
        ({"file": "/"}, ": file / cannot be read: Is a directory"),
        ({"file": "/dev/zero"}, ": file /dev/zero is bigger than 65536 bytes, which no secret is"),
        ({"file": "/dev/null"}, ": file /dev/null is empty"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_reference_that_leads_nowhere_stops_the_start(
    reference: Content, mistake: str, complain: Complain, content: Content
) -> None:
    content["forges"]["github"]["token"] = reference
    found = complain(content, EMPTY="", BLANK=" \n", BYTES="\udcff")
    assert found == (f"forges.github.token{mistake}",)


@pytest.mark.parametrize("contents", [b"", b"\n", b" \t\r\n", b"\xff\xfe"])
def test_a_file_without_a_secret_in_it_stops_the_start(
    contents: bytes, complain: Complain, content: Content, tmp_path: Path
) -> None:
    (tmp_path / "hook").write_bytes(contents)
    content["forges"]["github"]["webhook_secrets"].append({"file": "./hook"})
    (mistake,) = complain(content)
    assert mistake.startswith(f"forges.github.webhook_secrets[1]: file {tmp_path}/hook is ")


@pytest.mark.parametrize("key", ["not base64!", "", "ab=c", base64.b64encode(b"x" * 24).decode()[:-2]])
def test_a_signing_secret_has_its_form(key: str, complain: Complain, content: Content) -> None:
    content["forges"]["gitlab"]["signing_secrets"] = [{"env": "KEY"}]
    (mistake,) = complain(content, KEY=f"whsec_{key}")
    assert mistake == (
        "forges.gitlab.signing_secrets[0]: what environment variable KEY holds is not a signing secret: "
        "expected whsec_ and a key in base64"
    )


def test_a_signing_secret_starts_with_whsec(complain: Complain, content: Content) -> None:
    content["forges"]["gitlab"]["signing_secrets"] = [{"env": "KEY"}]
    assert len(complain(content, KEY=base64.b64encode(b"x" * 24).decode())) == 1
    assert complain(content, KEY="whsec_" + base64.b64encode(b"x" * 24).decode()) == ()


def test_a_file_that_is_replaced_is_read_anew(tmp_path: Path) -> None:
    secret = FileSecret(file=tmp_path / "token")
    secret.file.write_text("first\n")
    assert secret.reveal() == "first"
    secret.file.write_text("second  \r\n\n")
    assert secret.reveal() == "second  "
    secret.file.unlink()
    with pytest.raises(SecretUnavailable, match=rf"^file {secret.file} cannot be read: No such file"):
        secret.reveal()


def test_a_variable_is_read_when_it_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    secret = EnvSecret(env="SHOP_TOKEN")
    monkeypatch.setenv("SHOP_TOKEN", "value\n")
    assert secret.reveal() == "value"
    monkeypatch.delenv("SHOP_TOKEN")
    with pytest.raises(SettingsError, match=r"^environment variable SHOP_TOKEN is not set$"):
        secret.reveal()


def test_a_loaded_secret_comes_from_the_environment_of_the_load(
    content: Content, write: Callable[[Content], Path], environ: dict[str, str]
) -> None:
    token = load(write(content), environ=environ).forges["github"].token
    assert token is not None
    assert token.reveal() == environ["TOKEN"]


def test_settings_show_no_secret(
    content: Content,
    write: Callable[[Content], Path],
    environ: dict[str, str],
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    (tmp_path / "token").write_text(PASTED)
    content["forges"]["github"]["token"] = {"file": str(tmp_path / "token")}
    settings = load(write(content), environ=environ)
    with caplog.at_level(logging.DEBUG):
        logging.getLogger("test").warning("%s %r", settings, settings)
    shown = [caplog.text, str(settings), repr(settings.model_dump()), settings.model_dump_json()]
    for secret in (PASTED, *environ.values()):
        assert not any(secret in text for text in shown)


def test_an_error_of_pydantic_shows_no_secret() -> None:
    with pytest.raises(ValidationError) as caught:
        ForgeSettings.model_validate({"kind": "github", "token": PASTED, "webhook_secrets": [{"env": f"-{PASTED}"}]})
    assert PASTED not in f"{caught.value} {caught.value!r}"


@pytest.mark.parametrize(
    "text",
    [
        "forges: {github: {kind: github, token: {{ %s }}}}",
        "forges: {github: {kind: github, token: {%s: 1, %s: 2}}}",
        "forges: {github: {kind: github, tokn: {%s}}}",
        "forges: {github: {kind: github, token: *%s}}",
        "forges: {github: {kind: github, token: !%s x}}",
        "forges: {github: {kind: github, token: !!int %s}}",
        "forges: {github: {kind: github, token: '%s}}",
        "forges: {github: {kind: github, app: %s}}",
        "forges: {github: {kind: github, token: &%s x, app: &%s y}}",
        "clusters: {a: {kubeconfig: %s}}",
        "clusters: {a: {kubeconfig: {users: [{token: %s}]}}}",
        "url: https://user:%s@example.com",
        "url: https://example.com?token=%s",
        "forges: {github: {kind: github, api_url: 'https://%s@example.com', clone_url: 'https://%s@x/{repository}'}}",
        "api_tokens: %s",
        "api_tokens: {%s}",
        "%s",
        "- %s",
    ],
)
def test_no_way_of_pasting_a_secret_shows_it(text: str, complain: Complain) -> None:
    pasted = f"a{secrets.token_hex(8)}"
    mistakes = complain(text.replace("%s", pasted))
    assert mistakes
    assert pasted not in "\n".join(mistakes)
