"""What kustomize printed when it failed -> the failure that people read on the commit. Pure.

kustomize tries each resource as a file, then as a folder, then as a URL, and wraps what came of it around the cause,
which stands at the end, among paths of a folder that only this deployment had. It also quotes what it could not use,
be it a Secret; such quotations are taken out.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final, NamedTuple

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

_CONSIDERED: Final = 4 * LONGEST
"""Characters in which the cause is looked for, after the quotations were taken out of all that was printed."""


class _Quotation(NamedTuple):
    """Text that somebody wrote. Searched for once and from both sides: the repository decides how long it is."""

    begin: re.Pattern[str]
    """What kustomize says before it. Takes linear time, so nothing unbounded stands before something else."""
    end: str
    """What it says after it, the last of these counts; empty if the quotation may be followed by anything."""
    instead: str
    certain: bool = True
    """A beginning without an end hides all that follows, for what is printed without end is cut off."""


def _quotation(begin: str, end: str, instead: str, *, certain: bool = True) -> _Quotation:
    return _Quotation(re.compile(begin), end, instead, certain)


_QUOTATIONS: Final = (
    _quotation(r"invalid map key: ", "", "invalid map key"),
    _quotation(r"unknown anchor '", "'", "unknown anchor"),
    _quotation(r"(cannot decode !!\w+) `", "` as a ", r"\1 as a "),
    _quotation(r"map\[string\]interface \{\}\{", "}: ", ""),
    _quotation(r"\bmap\[", "]", "map[…]"),
    _quotation(r"literal sources \[", ", expected", "a literal is malformed, expected"),
    _quotation(r"with config: `", "`: ", "with its configuration: "),
    _quotation(  # a patch that is written out is taken for the name of a file, and called missing
        r"(PatchStrategicMergeTransformer with its configuration): "
        r"(?!(?:evalsymlink failure on '[\w./-]+' : lstat )?[\w./-]+: no such file)",
        "",
        r"\1 (not shown)",
    ),
    _quotation(  # and so is a generator or transformer
        r"(loading (?:generator|transformer|validator) plugins): (?![\w./' -]+(?::|$))", "", r"\1 (not shown)"
    ),
    _quotation(r"patch from \[", "", "patch from what is given"),
    *(  # operations of a patch
        _quotation(r"(?<!while )\bdecoding ", problem, f"decoding a patch{problem}", certain=False)
        for problem in (": invalid character", ": unexpected end of JSON", ": json: ")
    ),
    _quotation(r"file sources: \[", "]: ", "file sources: "),
    _quotation(r'key name "', '"', "key name of an entry"),
    _quotation(
        r'source "', '" key name or file path contains', "an entry's key name or file path contains", certain=False
    ),
    _quotation(r"(invalid document separator): ", "", r"\1 (not shown)"),
    _quotation(r'\[patch: "', "", "[patch: not shown]"),
    _quotation(r"(must specify one of patch and path) in\s", "", r"\1"),
    _quotation(r"(patch and path can't be set at the same time)\s", "", r"\1"),
    _quotation(r"(must specify a target for(?: JSON)? patch) ", "", r"\1 that is written out"),
    _quotation(r": node contents:", "", ": node contents not shown"),
    _quotation(r": line \[[\d ]*\] has invalid utf8 bytes : ", "", ": line has invalid utf8 bytes"),
    _quotation(r"(cannot unmarshal !!\w+) `", "`", r"\1"),
    _quotation(r"(is out of bounds for value) ", "", r"\1 (not shown)"),
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
    text = text.replace("map[string]interface {}(nil): ", "")
    for quotation in _QUOTATIONS:
        text = _without(quotation, text)
    text = _cut(_relative(text, root), _CONSIDERED)
    return _cut(" ".join(_unwrapped(text).split()), LONGEST)


def _without(quotation: _Quotation, text: str) -> str:
    begin = quotation.begin.search(text)
    if begin is None:
        return text
    end = text.rfind(quotation.end, begin.end()) if quotation.end else len(text)
    if end < 0 and not quotation.certain:
        return text
    rest = text[end + len(quotation.end) :] if end >= 0 else ""
    return f"{text[: begin.start()]}{begin.expand(quotation.instead)}{rest}"


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most // 2]} … {text[-most // 2 :]}"


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
