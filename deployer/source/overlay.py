"""One overlay at one commit: what it reads, and what it renders to.

What it reads is found in git's objects, judged, looked up in the cache, and only then written into a private folder
for kustomize, which is gone afterwards.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice

from deployer import scratch
from deployer.model import Action, Environment, Failure, Manifests, ObjectRef, ObjectResult, Permanent
from deployer.source import cage, graph, kustomize, manifests, node, scalars
from deployer.source.allowance import TooMuch, at_most
from deployer.source.finding import Fault, Finding
from deployer.source.following import Kind
from deployer.source.graph import Inputs
from deployer.source.known_inputs import KnownInputs
from deployer.source.mirror import Mirror
from deployer.source.origin import Origins
from deployer.source.render_cache import RenderCache
from deployer.source.rooted import rooted

_EDITION = 1
"""Of how overlays are rendered and parsed; what another one has kept is not used."""

_MOST_SEARCHED = 500_000
"""Values of YAML in which the lines of what is said are looked for."""
_MOST_FILES = 1000
_LARGEST_SEARCHED = 256 * 1024
_AT_ONCE = 50
"""Files that are held in memory together."""
_YAML = (".yaml", ".yml", ".json")


@dataclass(frozen=True, slots=True)
class Rendered:
    """What became of an overlay."""

    manifests: bytes
    """YAML documents; none when the overlay has no resources."""
    inputs: Inputs
    known: bool
    """It was rendered before."""
    key: str
    """Under which it is kept, and what is made of it."""
    notes: tuple[str, ...] = ()
    """What people should know of how it was rendered."""


def reads(mirror: Mirror, commit: str, overlays: Collection[str]) -> Mapping[str, Inputs]:
    """What each overlay reads at a commit that the mirror has verified, by overlay.

    Raises:
        Permanent: the tree is one that git would not write.
        Temporary: the commit is not in the mirror, or the mirror cannot be repaired.
    """
    snapshot, known = mirror.snapshot(commit), KnownInputs(mirror.beside("inputs"))
    before = known.of(snapshot)
    found = {overlay: inputs for overlay in overlays if (inputs := before.get(overlay)) is not None}
    for overlay, inputs in graph.inputs(
        snapshot, set(overlays) - found.keys(), read=partial(mirror.texts, largest=node.LARGEST)
    ).items():
        known.learn(overlay, inputs)
        found[overlay] = inputs
    known.save()
    return found


def render(environment: Environment, commit: str, *, mirror: Mirror, cache: RenderCache, anew: bool = True) -> Rendered:
    """What kustomize makes of an environment's overlay, or made of it before.

    Args:
        environment: whose overlay, and what it may do.
        commit: one that the mirror has verified.
        mirror: of the environment's repository.
        cache: of what was rendered.
        anew: render what depends on more than the repository whenever it is asked for; otherwise what was fetched last
            will do.

    Raises:
        Permanent: it may not, or cannot, be rendered, and why.
        Temporary: the commit is not in the mirror, or the disk refuses.
    """
    overlay = environment.overlay
    inputs = reads(mirror, commit, [overlay])[overlay]
    permission = cage.Permission(environment.allow_remote, environment.helm)
    lines = partial(_lines, mirror, commit)
    cage.refuse(inputs.findings, permission, lines=lines)
    notes = cage.notes(inputs.findings, lines=lines)
    options = kustomize.Options(anywhere=not notes, network=inputs.remote, helm=inputs.helm)
    key = _key(inputs.digest, overlay, kustomize.version(), kustomize.helm() if inputs.helm else "", options)
    known = None if inputs.remote and anew else cache.get(key)
    if known is not None:
        return Rendered(known, inputs, known=True, key=key, notes=notes)
    rendered = _render(mirror, commit, overlay, inputs, options)
    cache.put(key, rendered)
    return Rendered(rendered, inputs, known=False, key=key, notes=notes)


def parse(rendered: Rendered, cache: RenderCache) -> Manifests:
    """The objects of an overlay; those of one that was rendered before were mostly parsed before, too.

    Raises:
        Permanent: as `manifests.parse`.
    """
    key = _key("objects", rendered.key)
    if rendered.known and (packed := cache.get(key)) is not None:
        return replace(manifests.unpack(packed), fetched=rendered.inputs.remote)
    parsed = manifests.parse(rendered.manifests)
    cache.put(key, manifests.pack(parsed))
    return replace(parsed, fetched=rendered.inputs.remote)


def located(
    results: Sequence[ObjectResult], environment: Environment, commit: str, *, mirror: Mirror
) -> tuple[ObjectResult, ...]:
    """The same results, those of objects that failed with the line that they were made from, if that is found.

    It is what people read first, and nothing else: whatever is in the way of it changes nothing.

    Args:
        results: of a deployment.
        environment: which was deployed.
        commit: to which; rendered a moment ago.
        mirror: of the environment's repository.
    """
    overlay = environment.overlay
    found: dict[ObjectRef, str] = {}
    with suppress(Failure, TooMuch), at_most(_MOST_SEARCHED):
        texts = _texts(mirror, commit, reads(mirror, commit, [overlay])[overlay].paths)
        origins = Origins(texts, overlay=overlay)
        for each in results:
            if each.action is Action.FAILED:
                found[each.ref] = origins.find(each.ref, each.message)
    return tuple(replace(each, source=found.get(each.ref, "")) for each in results)


def _texts(mirror: Mirror, commit: str, paths: Collection[str]) -> Iterator[tuple[str, bytes]]:
    """The YAML among what an overlay reads, with its path; without files whose names are no words that could be told:
    git takes any bytes for a name."""
    snapshot = mirror.snapshot(commit)
    found = {
        file: entry.hash
        for path in sorted(paths)
        for file, entry in snapshot.walk(path)
        if entry.kind is Kind.FILE and file.endswith(_YAML) and file.isprintable()
    }
    files = islice(found.items(), _MOST_FILES)
    while batch := dict(islice(files, _AT_ONCE)):
        texts = mirror.texts(batch.values(), largest=_LARGEST_SEARCHED)
        yield from ((file, texts[hash_]) for file, hash_ in batch.items() if hash_ in texts)


def _key(*parts: object) -> str:
    return hashlib.sha256(" ".join(map(str, (_EDITION, *parts))).encode()).hexdigest()


def _render(mirror: Mirror, commit: str, overlay: str, inputs: Inputs, options: kustomize.Options) -> bytes:
    with scratch.folder() as folder:
        root = folder / "repository"
        mirror.write(mirror.snapshot(commit), inputs.paths, root)
        try:
            return kustomize.render(root, overlay, options=options)
        except Permanent as failure:
            said = rooted(failure.message, inputs.paths, overlay=overlay)
            raise Permanent(said, stage=failure.stage) from failure


def _lines(mirror: Mirror, commit: str, findings: Sequence[Finding]) -> dict[Finding, int]:
    """The lines on which findings stand: each file is read once, and no longer than is worth a number."""
    found: dict[Finding, int] = {}
    searched = [finding for finding in findings if finding.file and finding.fault is not Fault.UNREADABLE]
    with suppress(TooMuch), at_most(_MOST_SEARCHED):
        for file in dict.fromkeys(finding.file for finding in searched):
            here = [finding for finding in searched if finding.file == file]
            wanted = {text for finding in here for text in (finding.text, finding.field) if text}
            known = scalars.lines(_text(mirror, commit, file), wanted)
            lines = {finding: known.get(finding.text) or known.get(finding.field) for finding in here}
            found |= {finding: line for finding, line in lines.items() if line}
    return found


def _text(mirror: Mirror, commit: str, file: str) -> bytes:
    entry = mirror.snapshot(commit).follow(file).entry
    return b"" if entry is None else mirror.texts([entry.hash], largest=node.LARGEST).get(entry.hash, b"")
