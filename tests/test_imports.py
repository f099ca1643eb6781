"""The layers of the package: who may import whom and what."""

import ast
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


def closure(path, seen=()):
    """Return everything that is imported with a module, through modules of the package too."""
    names = imported(path, module_level=True)
    everything = set(names)
    for name in names:
        parts = name.split(".")
        for stop in range(len(parts), 1, -1):
            module = ROOT.joinpath(*parts[1:stop]).with_suffix(".py")
            if parts[0] == "bids_app" and module.exists() and module not in seen:
                everything |= closure(module, (*seen, module))
    return everything


@pytest.mark.parametrize("layer", ["graph", "stats"])
def test_numerical_layers_know_arrays_only(layer):
    modules = sorted((ROOT / layer).glob("*.py"))
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
    assert importers("bids") == {"inputs.py", "rawdata.py"}


def test_ants_is_met_in_the_preprocessing_only():
    assert importers("ants") == {"preprocess/registration.py", "preprocess/anatomy.py"}


def test_nipype_is_met_in_its_layers_only():
    found = importers("nipype")
    assert "execution.py" in found
    assert all(name == "execution.py" or name.startswith(("interfaces/", "workflows/")) for name in found)


def test_command_line_loads_nothing_heavy():
    packages = {name.split(".")[0] for name in closure(ROOT / "cli.py")}
    assert "bids_app" in packages
    assert packages - {"bids_app"} <= set(sys.stdlib_module_names)


def test_data_flow_one_way():
    """What reads files knows nothing of workflows; what computes knows nothing of interfaces."""
    order = (
        "interfaces",
        "workflows",
        "execution",
        "preprocessing",
        "participantlevel",
        "grouplevel",
        "preview",
        "cli",
    )
    for path in MODULES:
        first = path.relative_to(ROOT).parts[0].removesuffix(".py")
        rank = order.index(first) if first in order else -1
        if first in ("__main__", "demo"):
            continue
        for name in imported(path):
            parts = name.split(".")
            if parts[0] == "bids_app" and len(parts) > 1 and parts[1] in order:
                assert order.index(parts[1]) <= rank or (first == "cli"), f"{path.name} imports {name}"
