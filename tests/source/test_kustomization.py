"""What is found in a kustomization, and in the configurations of generators and transformers."""

from __future__ import annotations

import json
import time

import pytest

from deployer.source.goyaml import Unreadable
from deployer.source.kustomization import of_kustomization, of_plugins
from deployer.source.reference import Reference, Role


def found(text: str) -> list[tuple[str, str]]:
    return [(each.role.value, each.path) for each in of_kustomization(text.encode())]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("resources: [a.yaml, ../base]", [("resource", "a.yaml"), ("resource", "../base")]),
        ("RESOURCES: [a.yaml]", [("resource", "a.yaml")]),
        ("re\u017fources: [a.yaml]", [("resource", "a.yaml")]),
        ("bases: [../base]\ncomponents: [../part]", [("folder", "../base"), ("folder", "../part")]),
        ("crds: [a.json]\nconfigurations: [b.yaml]", [("file", "a.json"), ("file", "b.yaml")]),
        ("openapi: {path: schema.json}", [("file", "schema.json")]),
        ("openapi: {version: v1.20.4}", []),
        ("patches: [{path: a.yaml}, {patch: '[]'}, {PATH: b.yaml, target: {kind: A}}]",
         [("file", "a.yaml"), ("file", "b.yaml")]),
        ("patchesJson6902: [{target: {kind: A, name: b}, path: a.json}]", [("file", "a.json")]),
        ("patchesStrategicMerge:\n- a.yaml\n- |\n  kind: A\n  metadata: {name: b}", [("file", "a.yaml")]),
        ("replacements: [{path: a.yaml}, {source: {kind: A}, targets: []}]", [("file", "a.yaml")]),
        (
            "configMapGenerator: [{name: a, files: [a.txt, 'b=c/d.txt'], envs: [e.env], env: f.env, literals: [x=y]}]",
            [("file", "a.txt"), ("file", "c/d.txt"), ("file", "e.env"), ("file", "f.env")],
        ),
        ("secretGenerator: [{name: a, files: [a.txt]}]", [("file", "a.txt")]),
        ("generators: [gen]\ntransformers: [t.yaml]\nvalidators: [v.yaml]",
         [("plugin", "gen"), ("plugin", "t.yaml"), ("plugin", "v.yaml")]),
        ("transformers: ['{apiVersion: builtin, kind: PatchTransformer, metadata: {name: a}, path: a.yaml}']",
         [("file", "a.yaml")]),
        ("helmGlobals: {chartHome: ../charts}", [("charts", "../charts")]),
        ("helmCharts: [{name: a, valuesFile: v.yaml, additionalValuesFiles: [w.yaml]}]",
         [("helm", ""), ("charts", "charts"), ("file", "v.yaml"), ("file", "w.yaml")]),
        ("helmCharts: [{name: a, repo: https://charts.example.com, version: 1.2.3}]",
         [("helm", ""), ("charts", "charts"), ("remote", "https://charts.example.com")]),
        ("sparkles: [a.yaml]", [("unknown", "")]),
        ("namespace: a\nimages: [{name: a, newTag: b}]\nlabels: [{pairs: {a: b}}]\nreplicas: [{name: a, count: 2}]",
         []),
        ("resources: null\npatches:\ncrds: {}\ngenerators: 7\nopenapi: [1]", []),
        ("x: &x {path: a.yaml}\npatches: [*x, {<<: *x}]", [("unknown", ""), ("file", "a.yaml")]),
        ("resources: [a.yaml]\n---\nresources: [b.yaml]", [("resource", "a.yaml"), ("resource", "b.yaml")]),
        ("- a.yaml", []),
        ("", []),
    ],
)  # fmt: skip
def test_each_field_is_followed(text: str, expected: list[tuple[str, str]]) -> None:
    assert found(text) == expected


def configuration(text: str) -> list[tuple[str, str, str]]:
    return [(each.role.value, each.path, each.field) for each in of_plugins(text.encode())]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("apiVersion: builtin\nkind: ConfigMapGenerator\nfiles: [x=a.txt]\nenvs: [b.env]",
         [("file", "a.txt", "ConfigMapGenerator"), ("file", "b.env", "ConfigMapGenerator")]),
        ("apiVersion: builtin\nkind: PatchJson6902Transformer\npath: a.json", [("file", "a.json", "path")]),
        ("apiVersion: builtin\nkind: PatchStrategicMergeTransformer\n"
         "paths: [a.yaml, '{kind: B, metadata: {name: c}}']", [("file", "a.yaml", "paths")]),
        ("apiVersion: builtin\nkind: PatchTransformer\npath: '{kind: B, metadata: {name: c}}'",
         [("file", "{kind: B, metadata: {name: c}}", "path")]),
        ("Kind: HashTransformer\nkind2: x\napiVersion: builtin\nmetadata: {name: a}", [("unknown", "", "kind")]),
        ("apiVersion: builtin\nkind: ConfigMapGenerator\nFILES: [a.txt]\nEnvs: [b.env]",
         [("file", "a.txt", "ConfigMapGenerator"), ("file", "b.env", "ConfigMapGenerator")]),
        ("apiVersion: builtin\nkind: ReplacementTransformer\nreplacements: [{path: a.yaml}]",
         [("file", "a.yaml", "replacements")]),
        ("apiVersion: builtin\nkind: ValueAddTransformer\nvalue: x\ntargetFilePath: a.yaml",
         [("file", "a.yaml", "targetFilePath")]),
        ("apiVersion: builtin\nkind: PrefixTransformer\nprefix: a", []),
        ("apiVersion: builtin\nkind: HelmChartInflationGenerator\nname: a\nchartHome: c\nvaluesFile: v.yaml",
         [("helm", "", "HelmChartInflationGenerator"), ("charts", "charts", "HelmChartInflationGenerator"),
          ("charts", "c", "HelmChartInflationGenerator"), ("file", "v.yaml", "HelmChartInflationGenerator")]),
        ("apiVersion: builtin\nkind: NewTransformer\npath: a.yaml", [("unknown", "", "NewTransformer")]),
        ("apiVersion: someteam.example.com/v1\nkind: Chart", [("function", "", "Chart")]),
        ("apiVersion: builtin\nkind: PrefixTransformer\nmetadata:\n  annotations:\n"
         "    config.kubernetes.io/function: |\n"
         "      exec: {path: ./run.sh}", [("function", "", "config.kubernetes.io/function")]),
        ("kind: List\nitems: [{apiVersion: builtin, kind: PatchTransformer, path: a.yaml}]",
         [("file", "a.yaml", "path")]),
        ("apiVersion: builtin\nkind: PatchTransformer\npath: a.yaml\n---\napiVersion: v1\nkind: Evil",
         [("file", "a.yaml", "path"), ("function", "", "Evil")]),
        ("just a text", []),
    ],
)  # fmt: skip
def test_each_configuration_is_followed(text: str, expected: list[tuple[str, str, str]]) -> None:
    assert configuration(text) == expected


@pytest.mark.parametrize("text", ["helmCharts: []", "helmCharts:", "helmCharts: {}"])
def test_no_chart_needs_no_helm(text: str) -> None:
    assert found(text) == []


def test_a_chart_that_is_there_need_not_be_fetched() -> None:
    text = b"helmCharts: [{name: a, repo: https://charts.example.com, version: 1.2.3}, {name: b, repo: oci://x}]"
    remote = [each for each in of_kustomization(text) if each.role is Role.REMOTE]
    assert remote == [
        Reference(Role.REMOTE, "https://charts.example.com", "helmCharts", unless="charts/a-1.2.3/a"),
        Reference(Role.REMOTE, "oci://x", "helmCharts", unless="charts/b"),
    ]


@pytest.mark.parametrize(
    "entry",
    [
        "x: /../../outside/obj.yaml", "- /../../outside/obj.yaml", "http://127.0.0.1:1/a: c", "{a: b}/../../x",
        "kind: A", "{kind: A, metadata: {name: 7}}", "{kind: A, metadata: x}", "{kind: 1, metadata: {name: a}}",
        "{Kind: A, metadata: {name: a}}", "{kind: A, metadata: {name: a}}\n--- \nx: /../../y", "# x", "a: [",
    ],
)  # fmt: skip
@pytest.mark.parametrize("field", ["patchesStrategicMerge", "transformers", "generators", "validators"])
def test_what_kustomize_may_take_for_a_path_is_followed_as_one(field: str, entry: str) -> None:
    assert [path for _, path in found(json.dumps({field: [entry]}))] == [entry]


@pytest.mark.parametrize("way", ["/../../../outside.yaml", "\n/../../../outside.yaml"])
def test_what_is_written_out_may_still_not_lead_out(way: str) -> None:
    """kustomize finds fault with the annotation, and takes the whole for a path."""
    entry = f"{{apiVersion: builtin, kind: HashTransformer, metadata: {{name: x, annotations: 1}}}} #{way}"
    if "\n" in way:
        entry = entry.replace(" #\n", "\n#")
    for field in ("patchesStrategicMerge", "transformers"):
        (reference,) = of_kustomization(json.dumps({field: [entry]}).encode())
        assert (reference.path, reference.optional) == (entry, True)


GENERATOR = "apiVersion: builtin\nkind: ConfigMapGenerator\nmetadata: {name: g}\n"
CHART = "apiVersion: builtin\nkind: HelmChartInflationGenerator\nname: a\n"
CASE = "two fields of one mapping differ in case alone"
MERGE = "a << is read differently by different readers"
ARGUMENT = "holds what helm could take for an option or a path"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (f"Kind: HashTransformer\n{GENERATOR}files: [a.txt]", f"line 3: {CASE}"),
        (f"{GENERATOR}Files: [a]\nfiles: [b]", f"line 5: {CASE}"),
        ("kind: List\nitems:\n- {kind: A, Kind: B}\n", f"line 3: {CASE}"),
        (f"{GENERATOR}files: [a.txt]\n<<: {{files: [b.txt]}}", f"line 5: {MERGE}"),
        (f"{GENERATOR}<<: {{files: [b.txt]}}\nfiles: [a.txt]", f"line 4: {MERGE}"),
        (f"{GENERATOR}! <<: {{files: [b.txt]}}", f"line 4: {MERGE}"),
        (f"{GENERATOR}!!merge '<<': {{files: [b.txt]}}", f"line 4: {MERGE}"),
        (f"{GENERATOR}x: [{{<<: {{a: b}}}}]", f"line 4: {MERGE}"),
        (f"{GENERATOR}---#:\n  kind: Evil\n", "a line begins with --- and more"),
        (
            "apiVersion: builtin\nkind: HelmChartInflationGenerator\nname: a\nreleaseName: --x",
            f"line 4: releaseName {ARGUMENT}",
        ),
        (f"{CHART}configHome: x", "line 4: helm runs without"),
    ],
)
def test_a_configuration_that_readers_could_read_differently_is_refused(text: str, problem: str) -> None:
    with pytest.raises(Unreadable) as caught:
        of_plugins(text.encode())
    assert str(caught.value).startswith(problem)


def test_the_same_holds_for_one_that_is_written_out() -> None:
    inline = "".join(f"  {line}\n" for line in f"{GENERATOR}<<: {{files: [b.txt]}}".splitlines())
    with pytest.raises(Unreadable, match=f"^line 6: {MERGE}"):
        of_kustomization(f"generators:\n- |\n{inline}".encode())


def test_a_quoted_merge_is_a_text_like_others() -> None:
    assert of_plugins(f"{GENERATOR}literals: ['<<']".encode()) == ()


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("resources: [a]\nResources: [b]", f"line 2: {CASE}"),
        ("helmGlobals:\n  ChartHome: charts\n  chartHome: /x", f"line 3: {CASE}"),
        ("helmCharts:\n- name: a\n  Repo: ''\n  repo: https://x", f"line 4: {CASE}"),
        ("configMapGenerator:\n- name: a\n  Files: [a]\n  files: [b]", f"line 4: {CASE}"),
        ("helmGlobals: {configHome: x}", "line 1: helm runs without a configHome"),
        ("\nhelmChartInflationGenerator: [{chartName: a}]", "line 2: this field is of kustomize 3"),
    ],
)
def test_a_kustomization_that_readers_could_read_differently_is_refused(text: str, problem: str) -> None:
    with pytest.raises(Unreadable) as caught:
        of_kustomization(text.encode())
    assert str(caught.value).startswith(problem)


def test_labels_may_differ_in_case_alone() -> None:
    assert found("commonLabels: {App: a, app: b}\nlabels: [{pairs: {App: a, app: b}}]") == []


@pytest.mark.parametrize(
    "value",
    [
        "--post-renderer=/bin/sh", "-f", "a\nb", "a\0",
    ],
)  # fmt: skip
@pytest.mark.parametrize(
    "field", ["name", "releaseName", "version", "namespace", "nameTemplate", "kubeVersion", "apiVersions", "repo"]
)
def test_no_value_becomes_an_option_of_helm(field: str, value: str) -> None:
    for given in (value, [value]):
        with pytest.raises(Unreadable, match=f"^(line 1: )?{field} {ARGUMENT}"):
            of_kustomization(json.dumps({"helmCharts": [{field: given}]}).encode())


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", "../x"), ("name", "a/../../x"), ("name", "/etc"), ("name", "a//b"), ("name", "https://x/c.tgz"),
        ("name", "."), ("version", "1/../../x"), ("releaseName", "a b"), ("namespace", "a/b"),
    ],
)  # fmt: skip
def test_no_name_or_version_of_a_chart_leads_out(field: str, value: str) -> None:
    with pytest.raises(Unreadable, match=f"^line 1: {field} {ARGUMENT}"):
        of_kustomization(json.dumps({"helmCharts": [{field: value}]}).encode())


def test_the_values_of_real_charts_are_taken() -> None:
    chart = {
        "name": "cert-manager", "version": ">=1.2.3-rc.1+b, <2 || ^3", "repo": "oci://ghcr.io/acme/charts",
        "releaseName": "cert-manager", "namespace": "cert-manager", "nameTemplate": "{{ .Chart.Name }}-x",
        "kubeVersion": "v1.36.0", "apiVersions": ["monitoring.coreos.com/v1", "apps/v1/Deployment"],
        "includeCRDs": True, "skipHooks": True, "skipTests": True, "valuesMerge": "override",
        "valuesInline": {"Image": "a", "image": "--b"}, "devel": False, "debug": False,
    }  # fmt: skip
    roles = [role for role, _ in found(json.dumps({"helmCharts": [chart]}))]
    assert roles == ["helm", "charts", "remote"]


def test_a_file_that_names_too_much_is_refused() -> None:
    with pytest.raises(Unreadable, match="more than 5,000 files"):
        of_kustomization(json.dumps({"resources": [f"{n}.yaml" for n in range(5001)]}).encode())


@pytest.mark.thorough
def test_an_entry_that_stands_in_many_places_is_parsed_once() -> None:
    patch = f"{{kind: A, metadata: {{name: b}}, data: {{text: {'x y ' * 50_000}}}}}"
    items = "- {apiVersion: builtin, kind: PatchStrategicMergeTransformer, metadata: {name: x}, paths: *p}\n" * 5000
    before = time.process_time()
    text = f"kind: List\nitems:\n- {{apiVersion: builtin, kind: PatchTransformer, x: &p ['{patch}']}}\n{items}"
    assert of_plugins(text.encode()) == ()
    assert time.process_time() - before < 5


@pytest.mark.parametrize("text", ["a: [", "a: 1\na: 2", "\0"])
def test_what_is_no_yaml_is_said(text: str) -> None:
    with pytest.raises(Unreadable):
        of_kustomization(text.encode())
