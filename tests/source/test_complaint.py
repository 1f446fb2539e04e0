"""What kustomize printed becomes a reason at once, however long and hostile it is, and without what it quotes."""

from __future__ import annotations

import secrets
import time
from pathlib import Path

import pytest

from deployer import process
from deployer.model import Permanent
from deployer.source import complaint
from tests.examples import in_short

ROOT = Path("/repository")

BEGINNINGS = (
    "error: ", "map[", "map[string]interface {}{", "map[string]interface {}(nil): ", "unknown anchor '",
    "cannot decode !!a ` as a !!", "cannot unmarshal !!s `", "file sources: [", "decoding ", "with config: `",
    "literal sources []: invalid literal source ", 'source "', 'key name " in source "', "patch from [",
    "PatchStrategicMergeTransformer with config: `a`: a", "loading generator plugins: a", ": line [1",
    "accumulation err='accumulating resources from '", "accumulation err='accumulating resources from 'a': ",
    "accumulating resources: ", "evalsymlink failure on '", "must specify one of patch and path in\n", "a]: `",
    "/repository",
    "must specify a target for JSON patch", "a", " ", "\n", "'",
)  # fmt: skip


def stopped(stderr: str) -> str:
    error = process.ProgramFailed("kustomize", "exit code 1", stderr)
    limits = process.Limits(memory=process.MIB)
    failure = complaint.failure(error, root=ROOT, overlay="a", limits=limits)
    assert isinstance(failure, Permanent)
    return failure.message


@pytest.mark.parametrize("beginning", in_short(*BEGINNINGS))
def test_a_mebibyte_of_anything_is_explained_at_once(beginning: str) -> None:
    stderr = f"error: {beginning * (process.MIB // len(beginning))}"
    begin = time.process_time()
    assert len(stopped(stderr)) < complaint.LONGEST + 100
    assert time.process_time() - begin < 1


@pytest.mark.parametrize(
    "said",
    [
        "map[a:VALUE]",
        "map[a:VALUE",
        "invalid map key: VALUE",
        "cannot decode !!str `VALUE` as a !!int",
        "literal sources [VALUE]: invalid literal source VALUE, expected key=value",
        'source "VALUE" key name or file path contains',
        "decoding VALUE: invalid character 'a'",
        "with config: `VALUE`: it is wrong",
        "with config: `VALUE",
    ],
)
def test_a_long_quotation_is_hidden_from_its_beginning_to_its_end(said: str) -> None:
    value = secrets.token_hex(8)
    reason = stopped(f"error: {'x ' * 3000}{said.replace('VALUE', value * 10_000)}")
    assert value not in reason
