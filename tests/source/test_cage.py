"""Nothing outside of the repository is rendered and nothing is fetched or run, whatever a kustomization names."""

from __future__ import annotations

import secrets
import socket
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import pytest

from deployer.model import Permanent
from deployer.source.cage import Permission, is_below, refuse
from deployer.source.finding import Fault, Finding
from tests.source.trees import OVERLAY, Files, Trees, config_map

FILE = f"{OVERLAY}/kustomization.yaml"
LEAVES = "leads out of the repository"
MARK = "a byte order mark (U+FEFF) stands elsewhere than at the very beginning; remove it"
FUNCTION = "is a plugin or a function, and none is ever run"


@pytest.fixture
def trees(tmp_path: Path) -> Trees:
    """A repository beside another tenant's folder, which kustomize would render."""
    theirs = tmp_path / "other-tenant"
    theirs.mkdir()
    (theirs / "kustomization.yaml").write_text("resources: [map.yaml]\n")
    (theirs / "map.yaml").write_text(config_map("theirs"))
    return Trees(tmp_path)


class Hostile(NamedTuple):
    files: Files
    message: str
    """How it begins."""


def overlay(text: str, **beside: str) -> dict[str, str | bytes | Path | None]:
    return {FILE: text, **{f"{OVERLAY}/{name.replace('_', '.')}": content for name, content in beside.items()}}


def transformer(body: str) -> str:
    return f"apiVersion: builtin\nkind: PatchTransformer\nmetadata: {{name: a}}\n{body}\n"


OUT = "../../../../other-tenant"
GENERATOR = "apiVersion: builtin\nkind: ConfigMapGenerator\nmetadata: {name: a}\nname: a\n"
HOSTILE = {
    "a base outside": Hostile(
        overlay(f"namespace: a\nresources:\n- {OUT}\n"), f"{FILE}:3: resources: '{OUT}' {LEAVES}"
    ),
    "bases": Hostile(overlay(f"bases: [{OUT}]\n"), f"{FILE}:1: bases: '{OUT}' {LEAVES}"),
    "a component outside": Hostile(overlay(f"components: [{OUT}]\n"), f"{FILE}:1: components: '{OUT}' {LEAVES}"),
    "outside and in again": Hostile(
        overlay("resources: [../../../../repository/other]\n"),
        f"{FILE}:1: resources: '../../../../repository/other' {LEAVES}",
    ),
    "in a base": Hostile(
        {
            FILE: "resources: [../../base]\n",
            "deploy/base/kustomization.yaml": "\n\nresources: [../../../other-tenant]\n",
        },
        f"deploy/base/kustomization.yaml:3: resources: '../../../other-tenant' {LEAVES}",
    ),
    "an absolute path": Hostile(
        overlay("resources: [/etc/hostname]\n"), f"{FILE}:1: resources: '/etc/hostname' {LEAVES}"
    ),
    "a file outside": Hostile(
        overlay("configMapGenerator:\n- name: a\n  files: [k=../../../../secret.txt]\n"),
        f"{FILE}:3: configMapGenerator: '../../../../secret.txt' {LEAVES}",
    ),
    "a patch outside": Hostile(
        overlay("patches:\n- path: ../../../../p.yaml\n"), f"{FILE}:2: patches: '../../../../p.yaml' {LEAVES}"
    ),
    "a linked folder": Hostile(
        {FILE: "resources: [link]\n", f"{OVERLAY}/link": Path(OUT)}, f"{FILE}:1: resources: 'link' {LEAVES}"
    ),
    "a linked file": Hostile(
        {FILE: "resources: [link.yaml]\n", f"{OVERLAY}/link.yaml": Path(f"{OUT}/map.yaml")},
        f"{FILE}:1: resources: 'link.yaml' {LEAVES}",
    ),
    "a link on the way": Hostile(
        {FILE: "resources: [a/b/map.yaml]\n", f"{OVERLAY}/a/b": Path(f"../{OUT}")},
        f"{FILE}:1: resources: 'a/b/map.yaml' {LEAVES}",
    ),
    "a link to a link": Hostile(
        {FILE: "resources: [one]\n", f"{OVERLAY}/one": Path("two"), f"{OVERLAY}/two": Path("/etc")},
        f"{FILE}:1: resources: 'one' {LEAVES}",
    ),
    "links in circles": Hostile(
        {FILE: "resources: [one]\n", f"{OVERLAY}/one": Path("two"), f"{OVERLAY}/two": Path("one")},
        f"{FILE}:1: resources: 'one' {LEAVES}",
    ),
    "a way through a link that reads as inside": Hostile(
        {"a/b/c/d/keep": "", FILE: f"resources: [deep/../{OUT}]\n", f"{OVERLAY}/deep": Path("../../../a/b/c/d")},
        f"{FILE}:1: resources: 'deep/../{OUT}' {LEAVES}",
    ),
    "a linked kustomization": Hostile(
        {FILE: Path(f"{OUT}/kustomization.yaml")}, "the overlay 'kustomization.yaml' leads"
    ),
    "a linked overlay": Hostile({OVERLAY: Path("../../../other-tenant")}, f"the overlay '{OVERLAY}' {LEAVES}"),
    "this process": Hostile(
        overlay("resources: [../../../../../../../../../../proc/self/cwd]\n"), f"{FILE}:1: resources: "
    ),
    "a line break in it": Hostile(
        overlay('resources: ["x\\n/../../../../../other-tenant"]\n'), f"{FILE}:1: resources: an entry {LEAVES}"
    ),
    "an exec function": Hostile(
        overlay(
            "transformers: [f.yaml]\n",
            f_yaml=transformer("").replace(
                "{name: a}", "{name: a, annotations: {config.kubernetes.io/function: 'exec: {path: ./x}'}}"
            ),
        ),
        f"{OVERLAY}/f.yaml:3: config.kubernetes.io/function {FUNCTION}",
    ),
    "a container that is written out": Hostile(
        overlay(
            "generators:\n- |\n  apiVersion: example.com/v1\n  kind: Gen\n  metadata:\n    name: a\n"
            "    annotations:\n      config.kubernetes.io/function: |\n        container: {image: evil}\n"
        ),
        f"{FILE}:8: config.kubernetes.io/function {FUNCTION}",
    ),
    "a plugin": Hostile(
        overlay("validators: [v.yaml]\n", v_yaml="apiVersion: example.com/v1\nkind: Checker\nmetadata: {name: a}\n"),
        f"{OVERLAY}/v.yaml:2: Checker {FUNCTION}",
    ),
    "a plugin out of a folder": Hostile(
        {
            FILE: "generators: [gen]\n",
            f"{OVERLAY}/gen/kustomization.yaml": "resources: [g.yaml]\n",
            f"{OVERLAY}/gen/g.yaml": "apiVersion: example.com/v1\nkind: Gen\nmetadata: {name: a}\n",
        },
        f"{OVERLAY}/gen/g.yaml:2: Gen {FUNCTION}",
    ),
    "a transformer with a file outside": Hostile(
        overlay("transformers: [t.yaml]\n", t_yaml=transformer("path: ../../../../p.yaml")),
        f"{OVERLAY}/t.yaml:4: path: '../../../../p.yaml' {LEAVES}",
    ),
    "a kind in two spellings": Hostile(
        overlay("generators: [g.yaml]\n", g_yaml=f"Kind: HashTransformer\n{GENERATOR}files: [{OUT}/map.yaml]\n"),
        f"{OVERLAY}/g.yaml: cannot be read: line 3: two fields of one mapping differ in case alone",
    ),
    "a kind that is merged": Hostile(
        overlay(
            "generators: [g.yaml]\n", g_yaml=f"{GENERATOR}files: [{OUT}/map.yaml]\n<<: {{kind: HashTransformer}}\n"
        ),
        f"{OVERLAY}/g.yaml: cannot be read: line 6: a << is read differently by different readers",
    ),
    "a separator to kustomize alone": Hostile(
        overlay(
            "generators: [g.yaml]\n",
            g_yaml="apiVersion: builtin\nkind: HashTransformer\nmetadata: {name: a}\n---#:\n"
            + "".join(f"  {line}\n" for line in f"{GENERATOR}files: [{OUT}/map.yaml]".splitlines()),
        ),
        f"{OVERLAY}/g.yaml: cannot be read: a line begins with --- and more",
    ),
    "a path that reads as YAML": Hostile(
        overlay(f"patchesStrategicMerge: ['x: /../{OUT}/map.yaml']\n"),
        f"{FILE}:1: patchesStrategicMerge: an entry {LEAVES}",
    ),
    "a path that reads as a list": Hostile(
        overlay(f"transformers: ['- /../{OUT}/map.yaml']\n"), f"{FILE}:1: transformers: an entry {LEAVES}"
    ),
    "a path that reads as an object": Hostile(
        overlay(f"patchesStrategicMerge: ['{{kind: A, metadata: {{name: a, labels: 7}}}} #/../{OUT}/map.yaml']\n"),
        f"{FILE}:1: patchesStrategicMerge: an entry {LEAVES}",
    ),
    "a path that no reader takes for YAML": Hostile(
        overlay(
            "transformers: [t.yaml]\n",
            t_yaml=transformer(f"path: '{{kind: A, metadata: {{name: a}}}} #/../{OUT}/map.yaml'\ntarget: {{kind: A}}"),
        ),
        f"{OVERLAY}/t.yaml:4: path: an entry {LEAVES}",
    ),
    "a URL that reads as YAML": Hostile(
        overlay("patchesStrategicMerge: ['http://127.0.0.1:1/a: c']\n"),
        f"{FILE}:1: patchesStrategicMerge: an entry is remote and not in allow_remote",
    ),
    "a repository that reads as an object": Hostile(
        overlay("transformers:\n- |\n  git@127.0.0.1:a/b: 1\n  kind: A\n  metadata: {name: a, labels: 7}\n"),
        f"{FILE}:2: transformers: an entry is remote and not in allow_remote",
    ),
    "a field with a line break": Hostile(
        overlay("transformers: [t.yaml]\n", t_yaml='apiVersion: x\nkind: "a\\nb: c"\nmetadata: {name: a}\n'),
        f"{OVERLAY}/t.yaml:2: a field {FUNCTION}",
    ),
    "accents and a space": Hostile(
        overlay("resources: ['../größe a.yaml']\n"), f"{FILE}:1: resources: '../größe a.yaml' is not in the repository"
    ),
    "an argument for helm": Hostile(
        overlay("helmCharts:\n- name: a\n  releaseName: --post-renderer=/bin/sh\n"),
        f"{FILE}: cannot be read: line 3: releaseName holds what helm could take for an option",
    ),
    "an empty base": Hostile(
        {FILE: "resources:\n- ../../base\n", "deploy/base/x": ""},
        f"{FILE}:2: resources: '../../base' has no kustomization",
    ),
    "an ambiguous base": Hostile(
        {FILE: "resources:\n- ../../b\n", "deploy/b/kustomization.yaml": "", "deploy/b/Kustomization": ""},
        f"{FILE}:2: resources: '../../b' has more than one kustomization",
    ),
    "helm": Hostile(overlay("helmCharts: [{name: a}]\n"), f"{FILE}:1: helmCharts needs Helm, which runs only where"),
    "a missing file": Hostile(
        overlay("a: &a [gone.yaml]\nresources: *a\n"), f"{FILE}:1: resources: 'gone.yaml' is not"
    ),
    "two kustomizations": Hostile(
        {FILE: "", f"{OVERLAY}/Kustomization": ""}, f"the overlay '{OVERLAY}' has more than one"
    ),
    "no kustomization": Hostile({f"{OVERLAY}/a.yaml": ""}, f"the overlay '{OVERLAY}' has no kustomization"),
    "a file": Hostile({OVERLAY: ""}, f"the overlay '{OVERLAY}' is not a folder"),
    "no folder": Hostile({"a.yaml": ""}, f"the overlay '{OVERLAY}' is not in the repository; correct `overlay`"),
    "no YAML": Hostile(overlay("resources: [a\n"), f"{FILE}: cannot be read: line 2"),
    "YAML without bottom": Hostile(overlay("resources: " + "[" * 20_000), f"{FILE}: cannot be read: "),
    "a bomb of aliases": Hostile(
        overlay("a: &a [x]\n" + "".join(f"{b}: &{b} [{', '.join(10 * [f'*{a}'])}]\n" for a, b in pairwise("abcdefg"))),
        f"{FILE}: cannot be read: line 6",
    ),
    "a base behind a byte order mark": Hostile(
        overlay("{commonAnnotations: {\n\ufeff#a: b}, resources: ['../../../../other-tenant'], openapi: {\n}}\n"),
        f"{FILE}: cannot be read: {MARK}",
    ),
    "a base behind a byte order mark in UTF-16": Hostile(
        overlay("{namespace: {\n\ufeff#a: b}, resources: ['../../../../other-tenant'], crds: {\n}}\n".encode("utf-16")),
        f"{FILE}: cannot be read: {MARK}",
    ),
    "a file behind a byte order mark in a configuration": Hostile(
        overlay("generators:\n- |\n  \ufeff#\n  apiVersion: builtin\n"), f"{FILE}: cannot be read: {MARK}"
    ),
    "a file behind a byte order mark that is written as one": Hostile(
        overlay('generators: ["a: b\\n\\uFEFF#"]\n'), f"{FILE}:1: generators: an entry is not in the repository"
    ),
    "a file behind a tag": Hostile(
        overlay("configMapGenerator: [{name: a, env: !x, 'http://127.0.0.1:1/e'}]\n"),
        f"{FILE}: cannot be read: line 1, column 37: a tag without a value",
    ),
    "a file behind a bare tag": Hostile(
        overlay("patches: [{path: !, '../../../../p.yaml'}]\n"),
        f"{FILE}: cannot be read: line 1, column 18: a tag without a value",
    ),
    "more values than any kustomization has": Hostile(
        overlay("resources: [" + "a," * 250_000 + "]\n"), f"{FILE}: cannot be read: line 1, column 400"
    ),
    "a huge kustomization": Hostile(
        overlay("resources: [" + "a, " * 400_000 + "]\n"), f"{FILE}: is larger than 1024 KiB"
    ),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_repository_is_refused_by_file_line_and_entry(trees: Trees, name: str) -> None:
    hostile = HOSTILE[name]
    assert trees.refused(hostile.files).startswith(hostile.message)


def test_everything_that_is_wrong_is_told_at_once(trees: Trees) -> None:
    base = "resources: [/etc]\nhelmCharts: [{name: a}]\n"
    said = trees.refused({FILE: "resources: [../../base, gone.yaml]\n", "deploy/base/kustomization.yaml": base})
    assert [part.rpartition(": ")[0] for part in said.split("; ")[:1]] == [f"{FILE}:1: resources"]
    assert f"deploy/base/kustomization.yaml:1: resources: '/etc' {LEAVES}" in said
    assert "deploy/base/kustomization.yaml:2: helmCharts needs Helm" in said


REMOTE = (
    "http://{host}/map.yaml", "HTTP://{host}/map.yaml", "http://{host}/org/repo.git//base?ref=main",
    "git::http://{host}/org/repo", "git@{host}:org/repo.git", "ssh://git@{host}/org/repo", "http:{host}/map.yaml",
    "file:///srv/git/other-tenant", "git://{host}/org/repo", "github.com/org/repo", "git@github.com:org/repo",
    "GitHub.com/org/repo//base?ref=v1", "{host}/org/repo.git", "user@{host}:repo//base", "gh:org/repo",
    "https://user:pass@{host}/x", "example.com/org/repo//base?ref=v1",
)  # fmt: skip
FIELDS = (
    "resources: ['{}']", "bases: ['{}']", "components: ['{}']", "crds: ['{}']", "configurations: ['{}']",
    "openapi: {{path: '{}'}}", "patches: [{{path: '{}'}}]", "patchesStrategicMerge: ['{}']",
    "patchesJson6902: [{{path: '{}', target: {{kind: A, name: b}}}}]", "replacements: [{{path: '{}'}}]",
    "configMapGenerator: [{{name: a, files: ['{}']}}]", "secretGenerator: [{{name: a, envs: ['{}']}}]",
    "generators: ['{}']", "transformers: ['{}']", "validators: ['{}']",
    "transformers: ['{{apiVersion: builtin, kind: PatchTransformer, metadata: {{name: a}}, path: \"{}\"}}']",
)  # fmt: skip


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0)
        yield server


def nobody_called(listener: socket.socket) -> bool:
    try:
        listener.accept()
    except BlockingIOError:
        return True
    return False


@pytest.mark.parametrize("entry", REMOTE)
def test_every_spelling_of_a_remote_base_is_refused_without_a_packet(
    trees: Trees, listener: socket.socket, entry: str
) -> None:
    url = entry.format(host=f"127.0.0.1:{listener.getsockname()[1]}")
    said = trees.refused(overlay(f"resources: ['{url}']\n"))
    assert said.startswith(f"{FILE}:1: resources: ")
    assert "is remote and not in allow_remote" in said
    assert "pass" not in said
    assert nobody_called(listener)


@pytest.mark.parametrize("field", FIELDS)
def test_every_field_that_could_fetch_is_refused_without_a_packet(
    trees: Trees, listener: socket.socket, field: str
) -> None:
    url = f"http://127.0.0.1:{listener.getsockname()[1]}/map.yaml"
    trees.commit(overlay("resources: [a.yaml]\n", a_yaml=config_map("a")))
    assert "is remote and not in allow_remote" in trees.refused(overlay(field.format(url)))
    assert nobody_called(listener)


def test_a_local_folder_with_a_remote_name_is_refused_as_kustomize_would_fetch_it(trees: Trees) -> None:
    files = {FILE: "resources: [github.com/org/repo]\n",
             f"{OVERLAY}/github.com/org/repo/kustomization.yaml": "resources: []\n"}  # fmt: skip
    assert "is remote and not in allow_remote" in trees.refused(files)


@pytest.mark.parametrize(
    "name", ["app@v1", "a@b.yaml", "git@corp", "github.com", "github.com/x.yaml", "git:x", "gh:x", "x.git", "oci:a/b"]
)
def test_a_name_that_only_looks_remote_is_a_file_or_folder_as_it_is_to_kustomize(trees: Trees, name: str) -> None:
    if name.endswith(".yaml"):
        files = {f"{OVERLAY}/{name}": config_map("here")}
    else:
        files = {f"{OVERLAY}/{name}/kustomization.yaml": "resources: [m.yaml]\n",
                 f"{OVERLAY}/{name}/m.yaml": config_map("here")}  # fmt: skip
    assert b"name: here" in trees.render({FILE: f"resources: ['{name}']\n", **files}).manifests


@pytest.mark.parametrize(
    "name", ["admin@corp.pem", "a@b/c/d.txt", "git:x", "github.com/x/y.txt", "ssh:/a", "gh:org/repo", "git::x/y"]
)
def test_a_file_is_fetched_by_http_alone(trees: Trees, name: str) -> None:
    generator = f"configMapGenerator: [{{name: a, files: ['k={name}']}}]\n"
    assert b"content" in trees.render({FILE: generator, f"{OVERLAY}/{name}": "content"}).manifests


def test_what_is_written_out_may_hold_paths(trees: Trees) -> None:
    """It has more `..` than folders, which would lead out if it were a path; and it is none."""
    rendered = trees.render({
        FILE: "transformers:\n- |\n  apiVersion: builtin\n  kind: PatchTransformer\n  metadata: {name: a}\n"
              "  path: ../../../shared/p.yaml\nresources: [a.yaml]\n",
        "shared/p.yaml": config_map("a", "patched"),
        f"{OVERLAY}/a.yaml": config_map("a"),
    })  # fmt: skip
    assert b"patched" in rendered.manifests


def test_a_merge_in_a_kustomization_is_read_as_kustomize_does(trees: Trees) -> None:
    """A key that comes after what is merged wins, and one that comes before it loses."""
    files: Files = {f"{OVERLAY}/in.yaml": config_map("in"), f"{OVERLAY}/a.yaml": config_map("in", "other")}
    out = f"{OUT}/map.yaml"
    last = f"patches: [{{<<: {{path: in.yaml}}, path: {out}}}]\nresources: [a.yaml]\n"
    assert trees.refused({**files, FILE: last}).startswith(f"{FILE}:1: patches: '{out}' {LEAVES}")
    first = f"patches: [{{path: {out}, <<: {{path: in.yaml}}}}]\nresources: [a.yaml]\n"
    assert b"text: x" in trees.render({**files, FILE: first}).manifests


def test_what_is_not_known_passes_only_where_nothing_is_fetched_or_run() -> None:
    unknown = Finding(Fault.UNKNOWN, FILE, "sparkles", "")
    helm, remote = (
        Finding(Fault.HELM, FILE, "helmCharts", ""),
        Finding(Fault.REMOTE, FILE, "resources", "https://a.b/c"),
    )
    permission = Permission(("https://a.b",), helm=True)
    refuse([unknown], permission, lines=no_line)
    refuse([helm, remote], permission, lines=no_line)
    for other in (helm, remote):
        with pytest.raises(Permanent, match="sparkles cannot be followed"):
            refuse([other, unknown], permission, lines=no_line)


def no_line(_findings: Sequence[Finding]) -> Mapping[Finding, int]:
    return {}


def test_what_a_refused_link_or_file_holds_is_in_no_message(trees: Trees) -> None:
    value = secrets.token_hex()
    (trees.folder / "secret.txt").write_text(value)
    way = f"../../../../{value}"
    linked: Files = {FILE: "resources: [link]\n", f"{OVERLAY}/link": Path(way)}
    for files in (
        linked,
        overlay("secretGenerator: [{name: a, files: [../../../../secret.txt]}]\n"),
        overlay(f"patchesStrategicMerge: ['{{kind: Secret, stringData: {{p: {value}}}']\n"),
        overlay(f"generators: ['{{apiVersion: builtin, kind: SecretGenerator, literals: [p={value}']\n"),
        overlay(f"patchesStrategicMerge: [password={value}]\n"),
        overlay(f"secretGenerator: [{{name: a, files: [password={value}]}}]\n"),
        overlay(f"secretGenerator: [{{name: a, envs: [{value}]}}]\n"),
        overlay(f"resources: ['kind: Secret, data: {value}']\n"),
    ):
        assert value not in trees.refused(files)


def test_the_border_is_the_repository_and_not_the_folder_of_the_overlay(trees: Trees) -> None:
    rendered = trees.render({
        FILE: "resources: [../../base, ../../../shared/extra.yaml]\npatches: [{path: ../../../shared/patch.yaml}]\n"
              "configMapGenerator: [{name: made, files: [../../../shared/text.txt]}]\n",
        "deploy/base": Path("../shared/base"),
        "shared/base/kustomization.yaml": "resources: [map.yaml]\n",
        "shared/base/map.yaml": Path("../real.yaml"),
        "shared/real.yaml": config_map("one"),
        "shared/extra.yaml": config_map("two"),
        "shared/patch.yaml": config_map("one", "patched"),
        "shared/text.txt": "hello",
    })  # fmt: skip
    text = rendered.manifests.decode()
    assert all(part in text for part in ("name: one", "name: two", "patched", "name: made-", "hello"))


@pytest.mark.parametrize(
    ("url", "allowed", "below"),
    [
        ("https://github.com/acme/bases//shop?ref=v1", "https://github.com/acme/bases", True),
        ("github.com/acme/bases//shop?ref=v1", "https://github.com/acme/bases", True),
        ("git::https://github.com/acme/bases.git", "https://github.com/acme/bases", True),
        ("git@github.com:acme/bases.git//x", "https://github.com/acme/bases", True),
        ("https://github.com/acme/bases-evil", "https://github.com/acme/bases", False),
        ("https://github.com/acme", "https://github.com/acme/bases", False),
        ("https://github.com.evil.example/acme/bases", "https://github.com/acme/bases", False),
        ("https://github.com@evil.example/acme/bases", "https://github.com/acme/bases", False),
        ("https://evil.example/https://github.com/acme/bases", "https://github.com/acme/bases", False),
        ("https://github.com/acme/bases/../../evil/x", "https://github.com/acme/bases", False),
        ("https://github.com/acme/bases/%2e%2e/%2e%2e/evil", "https://github.com/acme/bases", False),
        ("https://github.com/acme\\bases", "https://github.com/acme", False),
        ("http://github.com/acme/bases", "https://github.com/acme/bases", False),
        ("https://github.com:8443/acme/bases", "https://github.com/acme/bases", False),
        ("https://GITHUB.com/acme/bases", "https://github.com/acme/bases", True),
        ("git@git.example.com:acme/bases//x?ref=1", "ssh://git.example.com/acme", True),
        ("ssh://git@git.example.com/acme/bases", "ssh://git.example.com/acme", True),
        ("oci://charts.example.com/a", "oci://charts.example.com", True),
        ("https://charts.example.com", "https://charts.example.com/stable", False),
        ("x", "https://github.com", False),
        ("https://[", "https://github.com", False),
    ],
)
def test_what_is_allowed_allows_what_is_below_it_alone(url: str, allowed: str, below: bool) -> None:
    assert is_below(url, allowed) is below


@pytest.mark.parametrize(
    ("chart", "beside", "remote"),
    [
        ("helmCharts: [{CHART}]", "charts", False),
        ("helmGlobals: {chartHome: other}\nhelmCharts: [{CHART}]", "other", False),
        ("helmGlobals: {chartHome: other}\nhelmCharts: [{CHART}]", "charts", True),
        ("helmCharts: [{CHART}]\n---\nhelmGlobals: {chartHome: other}", "other", True),
    ],
)
def test_a_chart_is_looked_for_where_kustomize_does(trees: Trees, chart: str, beside: str, *, remote: bool) -> None:
    text = chart.replace("CHART", "name: a, version: 1.0.0, repo: 'https://charts.example.com'")
    found = trees.reads({FILE: text, f"{OVERLAY}/{beside}/a-1.0.0/a/Chart.yaml": "name: a\n"})
    assert found.remote is remote


def test_an_anchor_that_is_redefined_within_its_value_stays_redefined(trees: Trees) -> None:
    said = trees.refused({FILE: f"commonAnnotations: &a {{x: &a {OUT}}}\nresources: [*a]\n"})
    assert said.startswith(f"{FILE}:1: resources: '{OUT}' {LEAVES}")


@pytest.mark.parametrize("name", ["a\nb", "a\udcff", "a\u202eb"])
def test_the_name_of_a_file_is_escaped(name: str) -> None:
    with pytest.raises(Permanent) as caught:
        refuse([Finding(Fault.LEAVES, name, "resources", "x")], Permission(), lines=no_line)
    assert caught.value.message.startswith(repr(name))
