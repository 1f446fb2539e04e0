"""Bodies of applied configurations: YAML, or JSON, which is the same thing read twenty times faster."""

from __future__ import annotations

import json

import yaml

from deployer.sandbox.kubernetes.errors import bad_request
from deployer.sandbox.kubernetes.objects import Json

try:
    from yaml import CSafeLoader as _SafeLoader
except ImportError:  # PyYAML without libyaml
    from yaml import SafeLoader as _SafeLoader  # type: ignore[assignment]

_UNKNOWN_TO_JSON = ("tag:yaml.org,2002:timestamp", "tag:yaml.org,2002:value", "tag:yaml.org,2002:merge")


class _Loader(_SafeLoader):
    """Reads only what JSON can say: dates and `=` stay text."""

    yaml_implicit_resolvers = {  # noqa: RUF012 - the name and type are PyYAML's
        first: [(tag, pattern) for tag, pattern in resolvers if tag not in _UNKNOWN_TO_JSON]
        for first, resolvers in _SafeLoader.yaml_implicit_resolvers.items()
    }


def read_yaml(body: bytes) -> Json:
    """Read a body.

    Raises:
        ApiError: 400, it is not YAML.
    """
    try:
        return json.loads(body)
    except ValueError:
        pass
    except RecursionError as error:
        raise bad_request("error decoding YAML: nested too deeply") from error
    try:
        return yaml.load(body, Loader=_Loader)  # noqa: S506 - a safe loader with fewer types
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise bad_request(f"error decoding YAML: error converting YAML to JSON: {_one_line(error)}") from error


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())
