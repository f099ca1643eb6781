"""The layers of the package: who may import whom and what."""

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

import bids_app

ROOT = Path(bids_app.__file__).parent
MODULES = sorted(ROOT.rglob("*.py"))
NUMERICAL = {"numpy", "scipy", "numba", "llvmlite", "networkx", "pandas", "statsmodels", "threadpoolctl"}
NUMERICAL |= {"sklearn", "sknetwork"}
FILES_AND_MESSAGES = {"pathlib", "logging", "os", "io", "shutil", "tempfile", "glob", "subprocess"}


def imported(path, module_level=False):
    """Return the dotted names that a module imports, anywhere or while it is imported itself."""
    tree = ast.parse(path.read_text())
    nodes = tree.body if module_level else ast.walk(tree)
    names = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: a relative import"
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def importers(package):
    return {
        path.relative_to(ROOT).as_posix()
        for path in MODULES
        if any(name.split(".")[0] == package for name in imported(path))
    }


def closure(path):
    """Return everything that is imported with a module, through modules of the package too."""
    everything, seen, waiting = set(), set(), [path]
    while waiting:
        names = imported(waiting.pop(), module_level=True)
        everything |= names
        parts = [name.split(".") for name in names if name.startswith("bids_app.")]
        modules = {ROOT.joinpath(*one[1:stop]).with_suffix(".py") for one in parts for stop in range(2, len(one) + 1)}
        new = {module for module in modules - seen if module.exists()}
        seen |= new
        waiting += new
    return everything


@pytest.mark.parametrize("layer", ["graph", "stats"])
def test_numerical_layers_know_arrays_only(layer):
    modules = sorted((ROOT / layer).rglob("*.py"))
    assert len(modules) > 3
    for path in modules:
        for name in imported(path):
            package = name.split(".")[0]
            if package == "bids_app":
                assert name.startswith(f"bids_app.{layer}"), f"{path.name} imports {name}"
            else:
                assert package in NUMERICAL | set(sys.stdlib_module_names) - FILES_AND_MESSAGES, (
                    f"{path.name} imports {name}"
                )


def test_bids_is_queried_where_inputs_are_found():
    assert importers("bids") == {"bids/index.py", "bids/runs.py", "preproc/raw_runs.py"}


def test_ants_is_met_in_the_preprocessing_only():
    assert importers("ants") == {"preproc/registration.py", "preproc/anatomy.py"}


def test_nipype_is_met_in_its_places_only():
    found = importers("nipype")
    assert "runtime/nipype_run.py" in found
    assert {path.rpartition("/")[2] for path in found} == {"nipype_run.py", "interfaces.py", "workflow.py"}


def test_command_line_loads_nothing_heavy():
    packages = {name.split(".")[0] for name in closure(ROOT / "cli" / "main.py")}
    assert "bids_app" in packages
    assert packages - {"bids_app"} <= set(sys.stdlib_module_names)


# Half a second each, or more, in every process that loads it: those that use it load it where they do.
LATE = {"ants", "bids", "formulaic", "matplotlib", "nilearn", "sklearn", "sknetwork", "statsmodels.api"}
LOADED = """
import json, sys
import bids_app.cli.check
checks = sorted(sys.modules)
import bids_app.group.interfaces, bids_app.participant.interfaces
print(json.dumps([checks, sorted(sys.modules)]))
"""


def test_what_takes_long_to_load_is_loaded_where_it_is_used():
    """By what a process has loaded: `check`, then those that compute one part of a workflow each."""
    done = subprocess.run([sys.executable, "-c", LOADED], cwd=ROOT.parent, capture_output=True, text=True, check=True)
    checks, parts = map(set, json.loads(done.stdout))
    assert {"bids_app.cli.check", "pandas", "numba"} <= checks
    assert not checks & (LATE | {"nipype", "networkx"})
    assert not parts & LATE


FLOORS = (  # from the top: each package may import itself and what is below, not its neighbours
    {"cli"},
    {"power"},
    {"group", "participant", "simulate"},
    {"preproc", "importing"},
    {"report"},
    {"trial", "space"},
    {"runtime"},
    {"bids"},
    {"settings"},
    {"graph", "stats", "system"},
    {"errors"},
)
FLOOR = {name: floor for floor, names in enumerate(FLOORS) for name in names}


def test_every_package_has_its_floor_and_says_what_it_is():
    packages = {path.name for path in ROOT.iterdir() if (path / "__init__.py").exists()}
    assert packages | {"errors"} == set(FLOOR)
    assert {path.name for path in ROOT.glob("*.py")} == {"__init__.py", "__main__.py", "errors.py"}
    for name in packages:
        assert ast.get_docstring(ast.parse((ROOT / name / "__init__.py").read_text())), name


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_imports_lead_down(path):
    own = path.relative_to(ROOT).parts[0].removesuffix(".py")
    for name in imported(path):
        parts = name.split(".")
        if own in FLOOR and parts[0] == "bids_app" and parts[1] in FLOOR and parts[1] != own:
            assert FLOOR[parts[1]] > FLOOR[own], f"{own} imports {name}"
