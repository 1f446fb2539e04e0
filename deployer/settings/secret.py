"""Secrets as references: `{env: NAME}` or `{file: PATH}`. The value is read when it is asked for and kept nowhere.

A message shows a reference only when it looks like one, because people paste the secret itself where its name belongs.
"""

from __future__ import annotations

import base64
import binascii
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BeforeValidator,
    PrivateAttr,
    ValidationInfo,
    WithJsonSchema,
    field_validator,
)

from deployer.settings.mistakes import SettingsError, suggestion
from deployer.settings.section import Origin, Section

_VARIABLE = r"[A-Za-z_][A-Za-z0-9_]*"
_LOOKS_LIKE_A_REFERENCE = re.compile(r"[A-Z_][A-Z0-9_]{0,63}|(/|~/|\.{1,2}/|[a-z-]+/)[\w./@-]*")
_BIGGEST = 64 * 1024
_SIGNING_PREFIX = "whsec_"


class SecretUnavailable(SettingsError):  # noqa: N818 - reads as what happened
    """A secret cannot be read (any more). The message names the reference, never the value."""

    def __init__(self, reference: str, reason: str) -> None:
        super().__init__([f"{reference} {reason}"])
        self.reason = reason


def _variable(name: str) -> str:
    if not re.fullmatch(_VARIABLE, name):
        raise ValueError("expected the name of an environment variable, not the secret itself")
    return name


class EnvSecret(Section):
    """A secret in an environment variable."""

    env: Annotated[str, AfterValidator(_variable), WithJsonSchema({"type": "string", "pattern": f"^{_VARIABLE}$"})]
    """Name of the environment variable that holds the secret."""

    _environ: Mapping[str, str] | None = PrivateAttr(default=None)

    def model_post_init(self, context: Any, /) -> None:  # noqa: ANN401 - pydantic's signature
        """Remember which environment the file was read with, unless it is the process's own."""
        if isinstance(context, Origin) and context.environ is not os.environ:
            self._environ = context.environ

    def __str__(self) -> str:
        return f"environment variable {self.env}"

    def reveal(self) -> str:
        """Return the secret as it is now, without newlines at its end.

        Raises:
            SecretUnavailable: the variable is not set, is empty or is not text.
        """
        value = (os.environ if self._environ is None else self._environ).get(self.env)
        if value is None:
            raise SecretUnavailable(str(self), "is not set")
        return _text(os.fsencode(value), str(self))


class FileSecret(Section):
    """A secret in a file."""

    file: Path
    """Path of the file that holds the secret; a relative one starts at the folder of the settings file."""

    @field_validator("file", mode="before")
    @classmethod
    def _path(cls, value: Any) -> Any:  # noqa: ANN401 - whatever the file holds
        if isinstance(value, str) and not (value.strip() and value.isprintable()):
            raise ValueError("expected the path of a file, not the secret itself")
        return value

    @field_validator("file")
    @classmethod
    def _absolute(cls, value: Path, info: ValidationInfo) -> Path:
        if not isinstance(info.context, Origin):
            return value
        try:
            return info.context.folder / value.expanduser()
        except RuntimeError as error:
            raise ValueError("there is no home folder to put in the place of ~") from error

    def __str__(self) -> str:
        return f"file {self.file}"

    def reveal(self) -> str:
        """Return the secret as it is now, without newlines at its end. A file that was replaced is read anew.

        Raises:
            SecretUnavailable: the file cannot be read, is empty, too big or not text.
        """
        try:
            with self.file.open("rb") as file:
                content = file.read(_BIGGEST + 1)
        except OSError as error:
            raise SecretUnavailable(str(self), f"cannot be read: {error.strerror}") from error
        if len(content) > _BIGGEST:
            raise SecretUnavailable(str(self), f"is bigger than {_BIGGEST} bytes, which no secret is")
        return _text(content, str(self))


def _text(content: bytes, reference: str) -> str:
    try:
        secret = content.decode().rstrip("\r\n")
    except UnicodeDecodeError:
        # Not chained: the error carries the content.
        raise SecretUnavailable(reference, "is not text in UTF-8") from None
    if not secret.strip():
        raise SecretUnavailable(reference, "is empty")
    return secret


_EXPECTED = "expected {env: NAME} or {file: PATH}; a secret is never written into this file"


def _reference(value: Any, info: ValidationInfo) -> EnvSecret | FileSecret:  # noqa: ANN401 - whatever the file holds
    """Take one reference or complain once, where a union would complain once for each of its members."""
    if isinstance(value, EnvSecret | FileSecret):
        return value
    secret = _parse(value, info)
    if isinstance(info.context, Origin):
        _follow(secret, *value.values())
    return secret


def _parse(value: Any, info: ValidationInfo) -> EnvSecret | FileSecret:  # noqa: ANN401 - whatever the file holds
    keys = list(value) if isinstance(value, dict) else []
    if keys == ["env"]:
        return EnvSecret.model_validate(value, context=info.context)
    if keys == ["file"]:
        return FileSecret.model_validate(value, context=info.context)
    if sorted(keys) == ["env", "file"]:
        raise ValueError("expected env or file, not both")
    raise ValueError(_EXPECTED + (suggestion(str(keys[0]), ("env", "file")) if len(keys) == 1 else ""))


def _follow(secret: EnvSecret | FileSecret, as_written: str) -> None:
    """Read the secret, so that one that is missing stops the start."""
    try:
        secret.reveal()
    except SecretUnavailable as error:
        what = "environment variable" if isinstance(secret, EnvSecret) else "file"
        shown = secret if _LOOKS_LIKE_A_REFERENCE.fullmatch(as_written) else f"the {what} named here"
        raise ValueError(f"{shown} {error.reason}") from error


def _signing(secret: EnvSecret | FileSecret, info: ValidationInfo) -> EnvSecret | FileSecret:
    """Check the form of a signing secret.

    See https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md (Signature scheme).
    """
    if isinstance(info.context, Origin) and not _is_signing_key(secret.reveal()):
        raise ValueError(f"what {secret} holds is not a signing secret: expected {_SIGNING_PREFIX} and a key in base64")
    return secret


def _is_signing_key(text: str) -> bool:
    try:
        key = base64.b64decode(text.removeprefix(_SIGNING_PREFIX), validate=True)
    except (binascii.Error, ValueError):
        return False
    return text.startswith(_SIGNING_PREFIX) and len(key) > 0


def _kubeconfig(value: Any) -> Any:  # noqa: ANN401 - whatever the file holds
    if isinstance(value, FileSecret) or (isinstance(value, dict) and list(value) == ["file"]):
        return value
    raise ValueError("expected {file: PATH}; a kubeconfig is never written into this file")


Secret = Annotated[EnvSecret | FileSecret, BeforeValidator(_reference)]
"""A reference; `load` follows it once, so that a missing secret stops the start."""

SigningSecret = Annotated[Secret, AfterValidator(_signing)]
"""A `Secret` of the Standard Webhooks specification."""

KubeconfigFile = Annotated[FileSecret, BeforeValidator(_kubeconfig)]
"""Not followed by `load`: it may be there on the workers only, and one cluster that is away stops no other."""
