# SPDX-License-Identifier: GPL-3.0-or-later
"""What the style demands of the project as a whole, where no linter can be told."""

from __future__ import annotations

import ast
import functools
import os
import re
import subprocess
import sys
import tarfile
import tomllib
import typing as t
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
MODULES = sorted((ROOT / "plugins/modules").glob("*.py"))
ROLES = sorted(path.parent.parent for path in (ROOT / "roles").glob("*/meta/argument_specs.yml"))
PYTHON = sorted(path for folder in ("plugins", "lab", "build") for path in (ROOT / folder).rglob("*.py"))
PLUGINS = [path for path in PYTHON if path.is_relative_to(ROOT / "plugins")]
PLAYS = sorted(path for folder in ("roles", "playbooks") for path in (ROOT / folder).rglob("*.yml"))

# Modules that read and write files of the control node only; options for an API server would mean nothing to them.
LOCAL_MODULES = {"job_import", "job_report"}
# Waiting belongs into a module that watches, and what is done belongs into a module that says what it changed.
FORBIDDEN_IN_PLAYS = {"shell", "command", "raw", "script", "until", "retries", "pause", "ignore_errors"}
OWNERS_PACKAGES = {"ansible-core", "kubernetes", "openshift", "jmespath", "molecule", "pytest-testinfra"}
NOT_FOR_GALAXY = ("lab/", "tests/", "molecule/", "build/", "constraints/", "collections/", ".")
LONGEST_FUNCTION = 40
OF_THE_LAB = re.compile(r"(?<![a-z])labs?(?![a-z])|simulat", re.IGNORECASE)


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def each(paths: list[Path]) -> t.Any:
    return pytest.mark.parametrize("path", [pytest.param(path, id=name_of(path)) for path in paths])


@functools.cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def functions(tree: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    return (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


def lines_of(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines of the body, without its docstring and without a manifest that it ends with: that is data, not steps."""
    body = function.body[1:] if ast.get_docstring(function) and len(function.body) > 1 else function.body
    last = body[-1]
    end = last.lineno if isinstance(last, ast.Return) and isinstance(last.value, ast.Dict) else function.end_lineno
    return (end or 0) - body[0].lineno + 1


def calls(path: Path, name: str) -> list[int]:
    """Line numbers where something called ``name`` is called, as a function or as a method."""
    found = []
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Call):
            called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            found += [node.lineno] if called == name else []
    return found


def uses_time_sleep(tree: ast.Module) -> bool:
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module == "time" and any(a.name == "sleep" for a in node.names):
            return True
        if isinstance(node, ast.Attribute) and node.attr == "sleep" and getattr(node.value, "id", "") == "time":
            return True
    return False


def keys_in(document: t.Any) -> Iterator[str]:
    if isinstance(document, dict):
        for key, value in document.items():
            yield str(key).removeprefix("ansible.builtin.")
            yield from keys_in(value)
    elif isinstance(document, list):
        for item in document:
            yield from keys_in(item)


def read_yaml(path: Path) -> t.Any:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def test_there_is_something_to_check() -> None:
    assert MODULES
    assert ROLES
    assert PLAYS
    assert len(PLUGINS) > len(MODULES)


@each(MODULES)
def test_a_module_has_a_unit_test(path: Path) -> None:
    folders = ("tests/unit/plugins/modules", "tests/unit/plugins/module_utils/_module")
    assert any((ROOT / folder / f"test_{path.name}").exists() for folder in folders)


@each([path for path in MODULES if path.stem not in LOCAL_MODULES])
def test_a_module_has_an_integration_target(path: Path) -> None:
    assert (ROOT / "tests/integration/targets" / path.stem / "tasks/main.yml").exists()


@each(MODULES)
def test_a_module_is_named_in_the_readme(path: Path) -> None:
    assert path.stem in (ROOT / "README.md").read_text(encoding="utf-8")


def test_each_filter_is_named_in_the_readme() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    filters = {path.stem for path in (ROOT / "plugins/filter").glob("*.yml")}
    assert {name for name in filters if f"`{name}`" not in text} == set()


def test_the_action_group_holds_exactly_the_modules_that_talk_to_a_cluster() -> None:
    group = read_yaml(ROOT / "meta/runtime.yml")["action_groups"]["longhorn"]
    assert {"metadata": {"extend_group": ["kubernetes.core.k8s"]}} in group
    assert {entry for entry in group if isinstance(entry, str)} == {path.stem for path in MODULES} - LOCAL_MODULES


@each(MODULES)
def test_main_is_short(path: Path) -> None:
    mains = [function for function in functions(tree_of(path)) if function.name == "main"]
    assert len(mains) == 1
    assert lines_of(mains[0]) <= 20


def test_only_a_module_fails_a_task() -> None:
    others = [path for path in PYTHON if path.parent.name not in ("modules", "action")]
    assert [f"{name_of(path)}:{line}" for path in others for line in calls(path, "fail_json")] == []


def test_waiting_happens_in_one_place() -> None:
    others = [path for path in PLUGINS if path.name != "waiting.py"]
    assert [name_of(path) for path in others if uses_time_sleep(tree_of(path))] == []


def test_files_name_their_licence() -> None:
    known = ("GPL-3.0-or-later", "GNU General Public License v3.0+")
    heads = {path: "".join(path.read_text(encoding="utf-8").splitlines()[:6]) for path in PYTHON if path.stat().st_size}
    assert [name_of(path) for path, head in heads.items() if not any(name in head for name in known)] == []


def test_packages_of_the_collection_re_export_nothing() -> None:
    assert [name_of(path) for path in PLUGINS if path.name == "__init__.py" and path.stat().st_size] == []


def test_functions_are_short() -> None:
    found = [
        f"{name_of(path)}: {function.name} has {lines_of(function)} lines"
        for path in PYTHON
        for function in functions(tree_of(path))
        if lines_of(function) > LONGEST_FUNCTION
    ]
    assert found == []


@each(PLAYS)
def test_plays_neither_poll_nor_run_programs(path: Path) -> None:
    assert FORBIDDEN_IN_PLAYS & set(keys_in(read_yaml(path))) == set()


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("when: inventory_hostname != 'lab'", id="the word"),
        pytest.param("if node == 'lab-node':", id="its node"),
        pytest.param("from longhorn_qa_lab import paths", id="its package"),
        pytest.param("os.environ['LONGHORN_QA_LAB_DIR']", id="its variable"),
        pytest.param("if simulated:", id="what it does"),
    ],
)
def test_a_branch_for_the_lab_would_be_seen(text: str) -> None:
    assert OF_THE_LAB.search(text)


def test_roles_playbooks_and_modules_do_not_know_the_lab() -> None:
    """They run against any kubeconfig; what only works in a lab proves nothing about a cluster."""
    files = [path for folder in ("plugins", "roles", "playbooks", "rbac") for path in (ROOT / folder).rglob("*")]
    texts = {path: path.read_text(encoding="utf-8") for path in files if path.suffix in {".py", ".yml", ".j2"}}
    assert len(texts) > len(PLUGINS)
    assert [name_of(path) for path, text in texts.items() if OF_THE_LAB.search(text)] == []


@each(ROLES)
def test_a_role_documents_its_defaults(path: Path) -> None:
    """A default that nobody documents, or a documented option that silently has no default, is a mistake."""
    options = read_yaml(path / "meta/argument_specs.yml")["argument_specs"]["main"]["options"]
    defaults = read_yaml(path / "defaults/main.yml") or {}
    optional = {name for name, option in options.items() if not option.get("required")}
    assert set(defaults) == optional
    stated = {name: option["default"] for name, option in options.items() if "default" in option}
    assert {name: defaults[name] for name in stated} == stated


@each(ROLES)
def test_a_role_has_a_readme_that_names_its_options(path: Path) -> None:
    text = (path / "README.md").read_text(encoding="utf-8")
    options = read_yaml(path / "meta/argument_specs.yml")["argument_specs"]["main"]["options"]
    assert [name for name in options if name not in text] == []


def test_the_tests_skip_nothing() -> None:
    word = re.compile(r"\b(pytest\.skip|mark\.skip|mark\.xfail|importorskip|skipif)\b")
    found = [
        name_of(path)
        for path in (ROOT / "tests").rglob("*.py")
        if path != Path(__file__) and word.search(path.read_text(encoding="utf-8"))
    ]
    assert found == []


def declared_packages() -> set[str]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = [name for extra in project["optional-dependencies"].values() for name in extra]
    return {re.split(r"[\[<>=~]", name)[0].lower() for name in (*project["dependencies"], *extras)}


def test_the_owners_packages_are_dependencies() -> None:
    assert declared_packages() >= OWNERS_PACKAGES


def test_the_pins_cover_the_declared_packages_and_hold_no_address() -> None:
    pins = (ROOT / "constraints/python.txt").read_text(encoding="utf-8")
    assert {name for name in declared_packages() if not re.search(rf"^{name}==", pins, re.MULTILINE)} == set()
    for path in (ROOT / "constraints").glob("*.txt"):
        assert "://" not in path.read_text(encoding="utf-8")


def test_users_and_the_lab_need_the_same_packages() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    lines = (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    needed = {line for line in lines if not line.startswith("#")}
    assert needed - set(project["dependencies"]) == set()
    assert set(project["optional-dependencies"]["store"]) - needed == set()


def declared_bound(package: str) -> str:
    found = re.search(rf"^{package}(>=.*)$", (ROOT / "requirements.txt").read_text(encoding="utf-8"), re.MULTILINE)
    return found[1] if found else ""


@pytest.mark.parametrize(
    ("package", "places"),
    [
        pytest.param("boto3", ["module_utils/_cluster/store.py", "doc_fragments/store.py"], id="boto3"),
        pytest.param("kubernetes", ["module_utils/_cluster/client.py", "doc_fragments/common.py"], id="kubernetes"),
        pytest.param("urllib3", ["doc_fragments/common.py"], id="urllib3"),
        pytest.param("jmespath", ["modules/object_assert.py", "module_utils/_module/conditions.py"], id="jmespath"),
        pytest.param(
            "croniter",
            [
                f"modules/{name}.py"
                for name in ("job_record", "job_report", "longhorn_preflight", "longhorn_recurring_job")
            ],
            id="croniter",
        ),
    ],
)
def test_documentation_and_messages_name_the_same_versions(package: str, places: list[str]) -> None:
    bound = declared_bound(package)
    assert bound
    for place in places:
        said = re.findall(rf"{package} ?>= ?([0-9.]*[0-9])", (ROOT / "plugins" / place).read_text(encoding="utf-8"))
        assert {f">={version}" for version in said} == {bound}, place


def test_the_optional_openshift_extra_imports() -> None:
    code = "import openshift.dynamic, openshift.helper.userpassauth as login; login.OCPLoginConfiguration"
    subprocess.run([sys.executable, "-W", "ignore", "-c", code], check=True)


def test_the_artefact_holds_what_users_need_and_nothing_else(tmp_path: Path) -> None:
    command = [str(Path(sys.prefix) / "bin/ansible-galaxy"), "collection", "build", "--output-path", str(tmp_path)]
    env = {**os.environ, "ANSIBLE_HOME": str(tmp_path / "home")}
    subprocess.run(command, cwd=ROOT, env=env, check=True, capture_output=True, stdin=subprocess.DEVNULL)
    (built,) = tmp_path.glob("longhorn-qa-*.tar.gz")
    with tarfile.open(built) as artefact:
        names = {member.name for member in artefact if member.isfile()}
    assert sorted(name for name in names if name.startswith(NOT_FOR_GALAXY)) == []
    needed = {"README.md", "LICENSE", "CHANGELOG.rst", "meta/runtime.yml", "meta/execution-environment.yml"}
    needed |= {name_of(path) for path in (*PLUGINS, *PLAYS)} | {"requirements.txt", "requirements.yml"}
    assert sorted(needed - names) == []
    assert sorted(name for name in names if "__pycache__" in name or name.endswith(".pyc")) == []
