"""What kustomize printed when it failed -> the failure that people read on the commit. Pure.

kustomize tries each resource as a file, then as a folder, then as a URL, and wraps what came of it around the cause,
which stands at the end, among paths of a folder that only this deployment had. It also quotes what it could not use,
be it a Secret; such quotations are taken out.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from deployer.model import Failure, Permanent, Stage, Temporary
from deployer.process import MIB, Limits, ProgramFailed, ProgramTimedOut

LONGEST: Final = 2000
"""Characters of kustomize's reason that are kept; from a longer one, its two ends."""

_ERROR: Final = re.compile(r"^error: ", re.IGNORECASE | re.MULTILINE)
_OUT_OF_MEMORY: Final = re.compile(
    r"out of memory|cannot allocate memory|failed to reserve|pthread_create failed|failed to create new OS thread"
    r"|stack overflow|stack exceeds"
)
_CRASH: Final = re.compile(r"^(?:panic|fatal error): (?P<what>[^\n]*)", re.MULTILINE)

_QUOTATIONS: Final = (
    (re.compile(r"invalid map key: .*", re.DOTALL), "invalid map key"),
    (re.compile(r"(unknown anchor) '.*?'", re.DOTALL), r"\1"),
    (re.compile(r"(cannot decode !!\w+) `.*?` (as a !!\w+)", re.DOTALL), r"\1 \2"),
    (re.compile(r"map\[string\]interface \{\}(?:\{.*\}|\(nil\)): ", re.DOTALL), ""),
    (re.compile(r"\bmap\[.*\]", re.DOTALL), "map[…]"),
    (
        re.compile(r"literal sources \[.*\]: invalid literal source .*(?=, expected)", re.DOTALL),
        "a literal is malformed",
    ),
    (re.compile(r"with config: `.*`(?=: )", re.DOTALL), "with its configuration"),
    (  # a patch that is written out is taken for the name of a file, and called missing
        re.compile(
            r"(PatchStrategicMergeTransformer with its configuration): "
            r"(?!(?:evalsymlink failure on '[\w./-]+' : lstat )?[\w./-]+: no such file).*",
            re.DOTALL,
        ),
        r"\1 (not shown)",
    ),
    (  # and so is a generator or transformer
        re.compile(r"(loading (?:generator|transformer|validator) plugins): (?![\w./' -]+(?::|$)).*", re.DOTALL),
        r"\1 (not shown)",
    ),
    (re.compile(r"(patch from) \[.*", re.DOTALL), r"\1 what is given"),
    (  # operations of a patch
        re.compile(r"\bdecoding .*(?=: (?:invalid character|unexpected end of JSON|json: ))", re.DOTALL),
        "decoding a patch",
    ),
    (re.compile(r"(file sources): \[.*\](?=: )", re.DOTALL), r"\1"),
    (re.compile(r"source \".*\"(?= key name or file path contains)", re.DOTALL), "an entry's"),
    (re.compile(r"(key name) \".*\" in source \".*\"", re.DOTALL), r"\1 of an entry"),
    (re.compile(r"(invalid document separator): .*", re.DOTALL), r"\1 (not shown)"),
    (re.compile(r"(\[patch: )\".*", re.DOTALL), r"\1not shown]"),
    (re.compile(r"(must specify one of patch and path) in\s.*", re.DOTALL), r"\1"),
    (re.compile(r"(patch and path can't be set at the same time)\s.*", re.DOTALL), r"\1"),
    (re.compile(r"(must specify a target for(?: JSON)? patch) .*", re.DOTALL), r"\1 that is written out"),
    (re.compile(r"(: node contents):.*", re.DOTALL), r"\1 not shown"),
    (re.compile(r"(: line) \[[\d ]*\] (has invalid utf8 bytes) : .*", re.DOTALL), r"\1 \2"),
    (re.compile(r"(cannot unmarshal !!\w+) `.*?`", re.DOTALL), r"\1"),
    (re.compile(r"(is out of bounds for value) .*", re.DOTALL), r"\1 (not shown)"),
)

_TRY: Final = r"accumulation err='accumulating resources from '(?P<resource>[^']*)': "
_AS_FOLDER: Final = re.compile(
    rf"(?:accumulating resources: )?{_TRY}'[^']*' must resolve to a file': "
    r"(?:recursed accumulation of path '(?P<folder>[^']*)': )?"
)
_AS_FILE: Final = re.compile(rf"{_TRY}(?P<cause>.*)': must build at directory: .*", re.DOTALL)
_AS_URL: Final = re.compile(rf"{_TRY}.*': (?P<cause>.*)", re.DOTALL)
_MISSING: Final = re.compile(r"evalsymlink failure on '(?P<path>[^']*)' : lstat [^:]*: ")
_REMOTE: Final = re.compile(r"no 'git' program on path|proxyconnect|Get \"https?:|git fetch ")


def failure(error: ProgramFailed, *, root: Path, overlay: str, limits: Limits) -> Failure:
    """Why kustomize failed, and what to do about it.

    Args:
        error: how it ended.
        root: folder of the repository's files, which people do not know: taken off the paths.
        overlay: what was rendered.
        limits: what it was allowed to use.
    """
    if reason := _beyond(error, limits):
        return Permanent(f"kustomize {reason} for {overlay} and was stopped", stage=Stage.RENDER)
    if error.stderr.startswith(("unshare: ", "prlimit: ")):
        return Temporary(f"kustomize could not be started: {error.stderr.strip()[:200]}", stage=Stage.RENDER)
    if crash := _CRASH.search(error.stderr):
        return Permanent(f"kustomize crashed: {crash['what'][:200]}", stage=Stage.RENDER)
    if reason := explain(error.stderr, root=root):
        return Permanent(reason, stage=Stage.RENDER)
    message = f"kustomize did not render {overlay} and gave no reason: {error.reason}"
    kind = Permanent if error.reason.startswith("exit code") else Temporary
    return kind(message, stage=Stage.RENDER)


def explain(stderr: str, *, root: Path) -> str:
    """The reason in what kustomize printed, on one line, its paths relative to `root`; empty if it gave none."""
    begin = _ERROR.search(stderr)
    text = (stderr[begin.end() :] if begin else stderr).strip()
    for quotation, replacement in _QUOTATIONS:
        text = quotation.sub(replacement, text)
    text = " ".join(_unwrapped(_relative(text, root)).split())
    return text if len(text) <= LONGEST else f"{text[: LONGEST // 2]} … {text[-LONGEST // 2 :]}"


def _relative(text: str, root: Path) -> str:
    text = re.sub(rf"{re.escape(str(root))}(?:/|(?![-\w.]))", lambda found: "" if found[0].endswith("/") else ".", text)
    return text.replace(f"{root.parent}/", "../") if root.parent != root.parent.parent else text


def _beyond(error: ProgramFailed, limits: Limits) -> str:
    """The limit that it ran into, if it was one."""
    if isinstance(error, ProgramTimedOut):
        return f"needs more than the {limits.seconds:g} s that it may take"
    if "SIGXCPU" in f"{error.reason} {error.stderr[:MIB]}" and limits.cpu is not None:
        return f"needs more than the {limits.cpu} s of processor time that it may take"
    if "wrote more" in error.reason or "file too large" in error.stderr:
        return f"makes more than the {limits.output / MIB:g} MiB of manifests that it may"
    if limits.memory is not None and _OUT_OF_MEMORY.search(error.stderr):
        return f"needs more than the {limits.memory / MIB:g} MiB of memory that it may use"
    return ""


def _unwrapped(text: str) -> str:
    """The cause, after `accumulating resources: ` and the folder in which it arose."""
    folders = list(_AS_FOLDER.finditer(text))
    if not folders:
        return _cause(text)
    cause = _cause(text[folders[-1].end() :]).removeprefix("accumulating resources: ")
    folder = folders[-1]["folder"]
    where = "" if folder is None or folder in cause else f"{folder}: "
    return f"accumulating resources: {where}{cause}"


def _cause(text: str) -> str:
    """The text with the one of kustomize's tries that matters in the place of all."""
    if _REMOTE.search(text) and (tried := re.search(_TRY, text)):
        remedy = "is remote, and remote resources are not fetched; copy it into the repository"
        return f"{text[: tried.start()]}{tried['resource']} {remedy}"
    for tries in (_AS_FILE, _AS_URL):
        if tried := tries.search(text):
            text = f"{text[: tried.start()]}{_named(tried['resource'], tried['cause'])}"
            break
    return _MISSING.sub(r"\g<path>: ", text)


def _named(resource: str, cause: str) -> str:
    return cause if Path(resource).name in cause else f"{resource}: {cause}"
