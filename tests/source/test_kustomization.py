"""What is found in a kustomization, and in the configurations of generators and transformers."""

from __future__ import annotations

import pytest

from deployer.source.goyaml import Unreadable
from deployer.source.kustomization import Reference, Role, of_kustomization, of_plugins


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
        ("transformers: ['{apiVersion: builtin, kind: PatchTransformer, path: a.yaml}']", [("file", "a.yaml")]),
        ("helmGlobals: {chartHome: ../charts, configHome: cfg}", [("charts", "../charts"), ("charts", "cfg")]),
        ("helmCharts: [{name: a, valuesFile: v.yaml, additionalValuesFiles: [w.yaml]}]",
         [("helm", ""), ("charts", "charts"), ("file", "v.yaml"), ("file", "w.yaml")]),
        ("helmCharts: [{name: a, repo: https://charts.example.com, version: 1.2.3}]",
         [("helm", ""), ("charts", "charts"), ("remote", "https://charts.example.com")]),
        ("sparkles: [a.yaml]", [("unknown", "")]),
        ("namespace: a\nimages: [{name: a, newTag: b}]\nlabels: [{pairs: {a: b}}]\nreplicas: [{name: a, count: 2}]",
         []),
        ("resources: null\npatches:\ncrds: {}\ngenerators: 7\nopenapi: [1]", []),
        ("x: &x {path: a.yaml}\npatches: [*x, {<<: *x}]", [("unknown", ""), ("file", "a.yaml"), ("file", "a.yaml")]),
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
        ("apiVersion: builtin\nkind: PatchStrategicMergeTransformer\npaths: [a.yaml, 'kind: B']",
         [("file", "a.yaml", "paths")]),
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


def test_a_chart_that_is_there_need_not_be_fetched() -> None:
    text = b"helmCharts: [{name: a, repo: https://charts.example.com, version: 1.2.3}, {name: b, repo: oci://x}]"
    remote = [each for each in of_kustomization(text) if each.role is Role.REMOTE]
    assert remote == [
        Reference(Role.REMOTE, "https://charts.example.com", "helmCharts", unless="a-1.2.3/a"),
        Reference(Role.REMOTE, "oci://x", "helmCharts", unless="b"),
    ]


@pytest.mark.parametrize("text", ["a: [", "a: 1\na: 2", "\0"])
def test_what_is_no_yaml_is_said(text: str) -> None:
    with pytest.raises(Unreadable):
        of_kustomization(text.encode())
