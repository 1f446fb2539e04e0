"""What a Helm chart's entry may hand to helm: kustomize makes the command line of it without looking. Pure.

The fields are those of HelmChart and HelmGlobals of kustomize 5
(https://kubectl.docs.kubernetes.io/references/kustomize/kustomization/helmcharts/).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from deployer.model import JSON
from deployer.source import fields
from deployer.source.goyaml import Unreadable

_NAME: Final = r"\w[\w.+-]*"
_PLAIN: Final = r"[^\W-][\w.:+/ -]*"
_PATTERNS: Final = {
    "name": rf"{_NAME}(?:/{_NAME})*",  # a folder below that of the charts, and what helm pulls
    "version": r"[\w.+*^~<>=|][\w.+*^~<>=|, -]*",  # or a range of versions; part of a folder's name, too
    "releaseName": _NAME,
    "namespace": _NAME,
    "kubeVersion": _PLAIN,
    "apiVersions": _PLAIN,
    "repo": r"[^\W-][!-~]*",
    "nameTemplate": r"[^\W-][^\n\r\0]*|\{\{[^\n\r\0]*",
}
"""How the values look that become arguments: none is taken for an option, none leads out of a folder."""


def check(chart: Mapping[str, JSON]) -> None:
    """Make sure that no value of a chart becomes an option of helm, or the path of what is elsewhere.

    Raises:
        Unreadable: one might.
    """
    for field, pattern in _PATTERNS.items():
        for value in fields.values(chart, field):
            for argument in fields.texts(value):
                if not re.fullmatch(pattern, argument, re.ASCII):
                    raise Unreadable(f"{field} holds what helm could take for an option or a path", at=argument)
    check_globals(chart)


def check_globals(settings: Mapping[str, JSON]) -> None:
    """Make sure that helm looks for plugins and configuration nowhere but in the private home.

    Raises:
        Unreadable: the settings of all charts name another place.
    """
    if any(fields.values(settings, "configHome")):
        raise Unreadable("helm runs without a configHome, which may hold plugins; leave it out", at="configHome")
