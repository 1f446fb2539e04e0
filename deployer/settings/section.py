"""What every section of the settings file shares: strict keys, frozen values, and nothing printed from a bad input."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, Strict

DAY = 24 * 60 * 60
WEEK = 7 * DAY

Seconds = Annotated[int, Strict(), Field(ge=1, le=WEEK)]
Retention = Annotated[int, Strict(), Field(ge=DAY, le=3660 * DAY)]
"""Seconds that records are kept: at least a day, so that a number of days that was meant for seconds loses nothing."""
Flag = Annotated[bool, Strict()]


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a settings file came from, which is what the references in it are followed from.

    It is the validation context of `load`. Without it (sections made in code) references are not followed and
    relative paths are left as they are.
    """

    folder: Path
    environ: Mapping[str, str] = field(repr=False)


class Section(BaseModel):
    """A mapping in the file."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True, use_attribute_docstrings=True)
