"""The settings file from path to Settings: read it, validate it, check it across, and report everything at once."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from deployer.settings.crosschecks import cross_check
from deployer.settings.document import read
from deployer.settings.mistakes import Mistake, SettingsError
from deployer.settings.section import Origin
from deployer.settings.sections import Settings
from deployer.settings.validation import validate


def load(path: Path, *, environ: Mapping[str, str] = os.environ) -> Settings:
    """Read a settings file. Each secret in it is read once, to know that it is there, and not kept.

    Args:
        path: the file; relative paths in it start at its folder.
        environ: where `{env: NAME}` is looked up, now and later.

    Raises:
        SettingsError: the file or something in it is wrong; it has every mistake.
    """
    document = read(path)
    settings, mistakes = validate(document.content, Origin(path.absolute().parent, environ))
    mistakes = _without_repeats(document.mistakes, [*mistakes, *cross_check(document.content)])
    if settings is None or mistakes:
        raise SettingsError(map(str, sorted(mistakes, key=document.position)))
    return settings


def digest(path: Path) -> str:
    """SHA-256 of a settings file as it is written, in hexadecimal: what `sha256sum` says of it.

    Raises:
        SettingsError: it cannot be read.
    """
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise SettingsError([f"{path}: cannot be read: {error.strerror}"]) from error


def _without_repeats(as_yaml: Sequence[Mistake], as_settings: Sequence[Mistake]) -> list[Mistake]:
    """Leave out what is reported already: below a place that is refused, or at a place that is no good YAML."""
    refused = {mistake.place for mistake in as_settings if mistake.whole}
    shown = [
        mistake
        for mistake in as_yaml
        if not any(mistake.place[:depth] in refused for depth in range(len(mistake.place)))
    ]
    unreadable = {mistake.place for mistake in shown}
    return shown + [mistake for mistake in as_settings if mistake.place not in unreadable]
