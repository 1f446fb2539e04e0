"""What names in the settings may look like, as pydantic types. Each rule takes a text, returns it or raises ValueError.

The rules are narrow on purpose: these names end up in URL paths, git arguments, Redis keys and Kubernetes objects.
"""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from typing import Annotated

from pydantic import AfterValidator, WithJsonSchema

from deployer.model import POINTER

_LABEL = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
_PART = r"[A-Za-z0-9_.][A-Za-z0-9_.-]*"
_REPOSITORY = rf"{_PART}(/{_PART})+"
_LONGEST_REPOSITORY = 180
_DEPLOYER = rf"{_PART}(/{_PART})*"
_KIND = r"[A-Z][A-Za-z0-9]*"
_SUBDOMAIN = r"[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*"
_KIND_NAME = rf"{_KIND}(\.{_SUBDOMAIN})?"
_VERSION = re.compile(r"v[0-9]+((alpha|beta)[0-9]+)?")
_SERVICE_ACCOUNT = rf"{_LABEL}/{_SUBDOMAIN}"
_LONGEST_SUBDOMAIN = 253
_NOT_IN_A_BRANCH = re.compile(r"[ ~^:?*\[\\]|\.\.|@\{|//|^[-/]|[./]$|(^|/)\.|\.lock(/|$)")


def _label(text: str) -> str:
    """See https://kubernetes.io/docs/concepts/overview/working-with-objects/names/#dns-label-names."""
    if not re.fullmatch(_LABEL, text):
        raise ValueError('expected up to 63 of a-z, 0-9 and "-", with a letter or digit at both ends')
    return text


def _repository(text: str) -> str:
    """180 characters, because the name becomes a part of an object name (253), with an environment's (63) before it."""
    parts = text.split("/")
    if not re.fullmatch(_REPOSITORY, text) or {".", ".."} & set(parts) or not re.search(r"[A-Za-z0-9]", text):
        raise ValueError('expected the full name on the forge, as in acme/shop: letters, digits, "_", "-", "." and "/"')
    if any(part.lower().endswith(".git") for part in parts):
        raise ValueError('expected the full name on the forge, as in acme/shop, without ".git"')
    if len(text) > _LONGEST_REPOSITORY:
        raise ValueError(f"longer than {_LONGEST_REPOSITORY} characters")
    return text


def _branch(text: str) -> str:
    """See https://git-scm.com/docs/git-check-ref-format."""
    if text.startswith("refs/heads/"):
        raise ValueError("expected the name of a branch alone, without refs/heads/")
    if text in ("", "@", "HEAD") or not text.isprintable() or _NOT_IN_A_BRANCH.search(text):
        raise ValueError("git does not allow this as the name of a branch")
    return text


def _overlay(text: str) -> str:
    if not text.strip() or not text.isprintable():
        raise ValueError('expected a folder inside the repository, or "." for its root')
    if text.startswith(("/", "~", "-")) or "\\" in text:
        raise ValueError('expected a folder relative to the root of the repository, with "/" between its parts')
    if ".." in text.split("/"):
        raise ValueError('".." is not allowed: an overlay is named from the root of its own repository')
    return str(PurePosixPath(text))


def _kind(text: str) -> str:
    """Kind and group as an ApplySet's head has them, see KEP-3659."""
    if not re.fullmatch(_KIND_NAME, text):
        raise ValueError("expected a kind as manifests have it, as in Deployment or Certificate.cert-manager.io")
    if _VERSION.fullmatch(text.split(".")[1] if "." in text else ""):
        raise ValueError("expected kind and group without the version, as in Certificate.cert-manager.io")
    return text


def _service_account(text: str) -> str:
    """See https://kubernetes.io/docs/concepts/security/service-accounts/."""
    if not re.fullmatch(_SERVICE_ACCOUNT, text) or len(text.partition("/")[2]) > _LONGEST_SUBDOMAIN:
        raise ValueError("expected NAMESPACE/NAME of a service account, as in shop/deployer")
    return text


def _deployer(text: str) -> str:
    if not re.fullmatch(_DEPLOYER, text) or len(text) > _LONGEST_REPOSITORY:
        raise ValueError("expected a user as in ada, or a team as in acme/operators, without @")
    return text


def _pointer(text: str) -> str:
    if not re.fullmatch(POINTER, text):
        raise ValueError('expected a JSON pointer, as in /spec/replicas ("~1" stands for "/" in a name, "~0" for "~")')
    return text


def _one_line(text: str) -> str:
    if not text.strip() or not text.isprintable():
        raise ValueError("expected a text of one line")
    return text


Label = Annotated[str, AfterValidator(_label), WithJsonSchema({"type": "string", "pattern": f"^{_LABEL}$"})]
"""A DNS label: the names of forges, clusters, environments and namespaces."""

RepositoryName = Annotated[
    str,
    AfterValidator(_repository),
    WithJsonSchema({"type": "string", "pattern": f"^{_REPOSITORY}$", "maxLength": _LONGEST_REPOSITORY}),
]
Branch = Annotated[str, AfterValidator(_branch), WithJsonSchema({"type": "string", "minLength": 1})]
Overlay = Annotated[str, AfterValidator(_overlay), WithJsonSchema({"type": "string", "pattern": r"^[^/~\\-]"})]
"""Becomes a path without `.`, double or trailing slashes."""

KindName = Annotated[str, AfterValidator(_kind), WithJsonSchema({"type": "string", "pattern": f"^{_KIND_NAME}$"})]
"""Kind, or kind and group with a dot between them."""

ServiceAccount = Annotated[
    str, AfterValidator(_service_account), WithJsonSchema({"type": "string", "pattern": f"^{_SERVICE_ACCOUNT}$"})
]
"""Namespace and name with a slash between them."""

Deployer = Annotated[
    str,
    AfterValidator(_deployer),
    WithJsonSchema({"type": "string", "pattern": f"^{_DEPLOYER}$", "maxLength": _LONGEST_REPOSITORY}),
]
"""A user, or with slashes in it a team (GitHub) or subgroup (GitLab)."""

Pointer = Annotated[str, AfterValidator(_pointer), WithJsonSchema({"type": "string", "pattern": f"^{POINTER}$"})]
"""Where something is within a document."""

Text = Annotated[str, AfterValidator(_one_line), WithJsonSchema({"type": "string", "minLength": 1})]
