"""Files that kustomize names are named from the root of the repository."""

from __future__ import annotations

import time

import pytest

from deployer.source.rooted import rooted

PATHS = (
    "deploy/staging",
    "deploy/staging/kustomization.yaml",
    "deploy/staging/web.yaml",
    "deploy/base/web.yaml",
    "deploy/base/sub/api.yaml",
    "deploy/other/job.yaml",
    "deploy/more/job.yaml",
)


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("from 'web.yaml': yaml: line 2", "from 'deploy/staging/web.yaml': yaml: line 2"),
        ("in File: api.yaml", "in File: deploy/base/sub/api.yaml"),
        ("in File: sub/api.yaml", "in File: deploy/base/sub/api.yaml"),
        ("from '../base/web.yaml': no", "from 'deploy/base/web.yaml': no"),
        ("deploy/base/web.yaml:4: no", "deploy/base/web.yaml:4: no"),
        ("from 'job.yaml': two of that name", "from 'job.yaml': two of that name"),
        ("from 'gone.yaml': no such file", "from 'gone.yaml': no such file"),
        ("/etc/web.yaml, web.yaml.bak, web.yaml.BAK, web.yaml.1 and https://example.com/web.yaml", None),
    ],
)
def test_what_can_be_meant_is_written_out(message: str, expected: str | None) -> None:
    assert rooted(message, PATHS, overlay="deploy/staging") == (expected or message)


def test_an_overlay_at_the_root_is_named_as_it_is() -> None:
    assert rooted("from 'web.yaml': no", ["web.yaml", "base/web.yaml"], overlay=".") == "from 'web.yaml': no"
    assert rooted("from 'api.yaml': no", ["web.yaml", "base/api.yaml"], overlay=".") == "from 'base/api.yaml': no"


def test_a_name_that_cannot_be_told_is_not_told() -> None:
    """git takes any bytes for a name, and a message is kept as UTF-8."""
    assert rooted("from 'api.yaml': no", ["caf\udce9/api.yaml"], overlay="staging") == "from 'api.yaml': no"
    assert rooted("from 'api.yaml': no", ["line\nfeed/api.yaml"], overlay="staging") == "from 'api.yaml': no"


def test_one_name_of_thousands_is_looked_for_in_the_overlay_alone() -> None:
    many = [f"apps/{number}/kustomization.yaml" for number in range(20_000)]
    message = "from 'kustomization.yaml': no; " * 300
    begun = time.process_time()
    assert rooted(message, many, overlay="staging") == message
    assert rooted("apps/7/kustomization.yaml:1: no", many, overlay="staging") == "apps/7/kustomization.yaml:1: no"
    assert time.process_time() - begun < 0.5


def test_a_long_message_takes_no_time() -> None:
    message = "a/" * 1000 + "web.yaml " + "../" * 1000
    assert rooted(message, PATHS, overlay="deploy/staging") == message
