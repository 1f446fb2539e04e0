"""What the repository says about itself is true: programs, pins, commands, links, and the size of things."""

from __future__ import annotations

import ast
import re
import shutil
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from deployer.demo.stack import procfile

ROOT = Path(__file__).parent.parent
PRODUCT = sorted(path for name in ("deployer", "jobs") for path in (ROOT / name).rglob("*.py"))
TESTS = sorted((ROOT / "tests").rglob("*.py"))
DOCUMENTS = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]
LOCKED = sorted(ROOT.glob("requirements*.txt"))


def named(path: Path) -> str:
    return str(path.relative_to(ROOT))


def read(name: str) -> str:
    return (ROOT / name).read_text()


# Programs and images


def test_the_three_processes_are_there_and_their_programs_too() -> None:
    processes = procfile(ROOT / "Procfile")
    assert list(processes) == ["web", "worker", "clock"]
    for program, *arguments in processes.values():
        assert shutil.which(program, path=str(Path(sys.executable).parent)), program
        if arguments[0] == "-m":
            assert (ROOT / arguments[1].replace(".", "/")).with_suffix(".py").is_file(), arguments
    web = processes["web"]
    assert (ROOT / web[web.index("--config") + 1]).is_file()
    module, _, application = web[-1].partition(":")
    assert re.search(rf"^ +{application} = ", read(f"{module.replace('.', '/')}.py"), re.MULTILINE)


def instructions() -> list[tuple[str, str]]:
    """The Dockerfile: each instruction and what follows it, continued lines joined."""
    lines = [line for line in read("Dockerfile").splitlines() if line.strip() and not line.startswith("#")]
    joined = re.sub(r"\\\n", " ", "\n".join(lines)).splitlines()
    return [(word.upper(), rest.strip()) for word, _, rest in (line.strip().partition(" ") for line in joined)]


def test_the_image_starts_from_one_exact_python() -> None:
    images = {rest.partition(" AS ")[0] for word, rest in instructions() if word == "FROM"}
    (image,) = images
    assert re.fullmatch(r"python:3\.11\.\d+-slim-\w+(@sha256:[0-9a-f]{64})?", image)


def test_the_image_is_nobodys_root_and_says_how_it_feels() -> None:
    last = max(number for number, (word, _) in enumerate(instructions()) if word == "FROM")
    final = instructions()[last:]
    users = [rest for word, rest in final if word == "USER"]
    assert users
    assert users[-1] not in ("root", "0")
    assert re.fullmatch(r"[1-9]\d*", users[-1]), "a number, so that runAsNonRoot can be checked"
    words = [word for word, _ in final]
    assert words.index("USER") < words.index("CMD")
    assert "HEALTHCHECK" in words
    assert "/healthz" in dict(final)["HEALTHCHECK"]


def test_everything_that_the_image_copies_is_there() -> None:
    copies = [rest.split() for word, rest in instructions() if word in ("COPY", "ADD")]
    ours = [parts for parts in copies if not parts[0].startswith("--from=")]
    assert ours
    for *sources, _ in ours:
        for source in sources:
            assert (ROOT / source).exists(), source
            assert not ignored(source), source


def test_what_the_image_needs_is_not_left_out_of_its_context() -> None:
    for name in ("pyproject.toml", "README.md", "LICENSE", "requirements.in", "requirements.txt", "deployer", "jobs"):
        assert (ROOT / name).exists(), name
        assert not ignored(name), name


def ignored(name: str) -> bool:
    lines = [line.strip("/") for line in read(".dockerignore").splitlines()]
    return any(Path(name).match(line) or name.startswith(f"{line}/") for line in lines if line)


# Dependencies


def requirements(path: Path) -> list[str]:
    text = re.sub(r"\\\n", " ", path.read_text())
    return [line.strip() for line in text.splitlines() if line.strip() and not line.strip().startswith("#")]


@pytest.mark.parametrize("path", LOCKED, ids=named)
def test_every_locked_requirement_is_pinned_and_hashed(path: Path) -> None:
    found = requirements(path)
    assert len(found) > 20
    for line in found:
        assert re.match(r"[A-Za-z0-9._-]+(\[[a-z,-]+\])?==[^ ;*]+( ;[^#]*?)?(\s+--hash=sha256:[0-9a-f]{64})+$", line), (
            line
        )


@pytest.mark.parametrize("path", sorted(ROOT.glob("requirements*")), ids=named)
def test_no_requirement_says_where_it_comes_from(path: Path) -> None:
    text = path.read_text()
    assert not re.search(r"://|--(extra-)?index-url|--find-links|--trusted-host|git\+|(^|\s)-[if]\s", text)


def test_everything_that_is_asked_for_is_locked() -> None:
    for name in ("requirements", "requirements-dev"):
        locked = {normal(line) for line in requirements(ROOT / f"{name}.txt")}
        assert set(asked_for(ROOT / f"{name}.in")) <= locked


def test_both_locks_agree() -> None:
    run, develop = (
        {normal(line): line.split()[0] for line in requirements(ROOT / f"{name}.txt")}
        for name in ("requirements", "requirements-dev")
    )
    assert run.items() <= develop.items()


def asked_for(path: Path) -> Iterator[str]:
    for line in requirements(path):
        if line.startswith("-r "):
            yield from asked_for(ROOT / line.removeprefix("-r "))
        else:
            yield normal(line)


def normal(requirement: str) -> str:
    name = re.match(r"[A-Za-z0-9._-]+", requirement)
    assert name, requirement
    return re.sub(r"[-_.]+", "-", name.group()).lower()


# Commands


def test_the_commands_of_the_readme_are_targets_that_make_has() -> None:
    targets = set(re.findall(r"^([a-z]+):", read("Makefile"), re.MULTILINE))
    named_targets = set(re.findall(r"\bmake ([a-z]+)\b", read("README.md")))
    assert {"demo", "test", "check", "bench"} <= named_targets <= targets
    phony = re.search(r"^\.PHONY: (.*)$", read("Makefile"), re.MULTILINE)
    assert phony
    assert set(phony.group(1).split()) == targets


def test_the_commands_of_the_documents_are_there() -> None:
    from deployer.cli import main

    for path in DOCUMENTS:
        code = "\n".join(re.findall(r"^    .*$|`[^`\n]+`", path.read_text(), re.MULTILINE))
        for name in re.findall(r"(?:^ +|`)deployer ([a-z]+)", code, re.MULTILINE):
            assert name in main.commands, f"{named(path)}: deployer {name}"


def test_continuous_integration_does_what_the_readme_says() -> None:
    script = ROOT / ".ci" / "run"
    assert script.stat().st_mode & 0o111
    lines = script.read_text().splitlines()
    assert lines[0].startswith("#!")
    assert "set -euo pipefail" in lines
    assert {"make check", "make test THOROUGH=1"} <= set(lines)


# Documents


def test_every_decision_is_listed_once_and_in_order() -> None:
    folder = ROOT / "docs" / "decisions"
    listed = re.findall(r"^(\d+)\. \[([^\]]+)\]\(([^)]+)\)$", (folder / "README.md").read_text(), re.MULTILINE)
    assert [name for _, _, name in listed] == sorted(path.name for path in folder.glob("[0-9]*.md"))
    for number, title, name in listed:
        heading = (folder / name).read_text().splitlines()[0]
        assert name.startswith(f"{int(number):04}-")
        assert heading == f"# {number}. {title}"


@pytest.mark.parametrize("path", DOCUMENTS, ids=named)
def test_every_link_leads_somewhere(path: Path) -> None:
    text = re.sub(r"`[^`]*`", "", path.read_text())
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if not re.match(r"[a-z]+:", target):
            file, _, anchor = target.partition("#")
            assert (path.parent / file).exists(), target
            assert not anchor or anchor in anchors(path.parent / file if file else path), target


def anchors(path: Path) -> set[str]:
    headings = re.findall(r"^#+ (.*)$", path.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading).strip().lower().replace(" ", "-") for heading in headings}


# Code


def test_every_module_says_why_it_exists() -> None:
    modules = {named(path): parsed(path) for path in PRODUCT}
    described = {name: ast.get_docstring(module) or "" for name, module in modules.items() if module.body}
    assert [name for name, words in described.items() if len(words.split()) < 5] == []


def test_no_module_is_long() -> None:
    lengths = {named(path): len(path.read_text().splitlines()) for path in PRODUCT}
    assert {name: length for name, length in lengths.items() if length > 300} == {}


def test_no_function_is_long() -> None:
    functions = [(path, function) for path in PRODUCT for function in functions_of(path)]
    assert len(functions) > 1000
    assert {f"{named(path)}: {each.name}": length(each) for path, each in functions if length(each) > 30} == {}


def test_no_test_file_is_long() -> None:
    lengths = {named(path): len(path.read_text().splitlines()) for path in TESTS}
    assert {name: length for name, length in lengths.items() if length >= 500} == {}


@cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


def functions_of(path: Path) -> list[ast.FunctionDef | ast.AsyncFunctionDef]:
    nodes = ast.walk(parsed(path))
    return [node for node in nodes if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]


def length(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines of a function's body without its docstring."""
    described = ast.get_docstring(function) is not None and len(function.body) > 1
    first, last = function.body[1 if described else 0], function.body[-1]
    assert last.end_lineno is not None
    return last.end_lineno - first.lineno + 1
