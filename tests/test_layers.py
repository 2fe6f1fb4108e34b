"""Imports go one way, and each special library has its place.

The direction is written in pyproject.toml, as contracts of import-linter.
"""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "scirepeval_harness"
CONFIG = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"][
    "importlinter"
]
CONTRACTS = {contract["id"]: contract for contract in CONFIG["contracts"]}

ONE_MODULE = {"adapters", "bm25s", "datasets", "Stemmer", "pytrec_eval", "jinja2", "httpx"}
"""Libraries that a single module knows, so that another version or another library is one edit."""

PLACES = {
    "ray": ["cluster/*.py"],
    "matplotlib": ["reporting/*.py"],
    "numba": ["probes/*.py"],
    "typer": ["cli/*.py"],
    "rich": ["cli/*.py"],
    "s2and": ["evaluations/s2and/experiment.py"],
    "playwright": [],
    "hypothesis": [],
    "pytest": [],
}
"""Libraries that stay within some modules; those of an empty list belong to the tests."""


def lint_imports(config: Path, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), config, "--no-logo", "--no-cache"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(folder)},
        capture_output=True,
        text=True,
    )


def imported(path: Path) -> Iterator[str]:
    """Top-level names of the libraries that a module imports, wherever in it."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module.partition(".")[0]


def importers(library: str) -> list[str]:
    modules = sorted(PACKAGE.rglob("*.py"))
    return [path.relative_to(PACKAGE).as_posix() for path in modules if library in imported(path)]


def test_the_contracts_hold() -> None:
    done = lint_imports(ROOT / "pyproject.toml", ROOT)
    assert done.returncode == 0, done.stdout


def test_every_package_and_module_of_the_house_has_its_layer() -> None:
    house = CONTRACTS["house"]
    layers = [re.split(r"\s*[|:]\s*", line) for line in house["layers"]]
    there = {
        path.stem
        for path in PACKAGE.iterdir()
        if path.suffix == ".py" or (path / "__init__.py").is_file()
    }
    assert {name.strip("()") for layer in layers for name in layer} >= there - {"__init__"}
    assert house["containers"] == ["scirepeval_harness"]
    assert house["exhaustive"]
    assert not any("ignore_imports" in contract for contract in CONTRACTS.values())


MADE_CONTRACT = """
[tool.importlinter]
root_package = "{package}"
[[tool.importlinter.contracts]]
name = "made"
type = "layers"
containers = ["{package}"]
exhaustive = true
layers = ["high", "low"]
"""


@pytest.mark.parametrize(
    ("files", "kept"),
    [
        ({"high": "import {package}.low", "low": ""}, True),
        ({"high": "", "low": "import {package}.high"}, False),
        ({"high": "", "low": "def late():\n    import {package}.high"}, False),
        ({"high": "", "low": "", "elsewhere": ""}, False),
    ],
    ids=["downwards", "upwards", "upwards within a function", "a module without a layer"],
)
def test_the_linter_sees_what_it_is_to_see(
    tmp_path: Path, files: dict[str, str], kept: bool
) -> None:
    package = "made_house"
    (tmp_path / package).mkdir()
    for name, text in {"__init__": "", **files}.items():
        (tmp_path / package / f"{name}.py").write_text(text.format(package=package))
    config = tmp_path / "pyproject.toml"
    config.write_text(MADE_CONTRACT.format(package=package))
    done = lint_imports(config, tmp_path)
    assert (done.returncode == 0) == kept, done.stdout + done.stderr


@pytest.mark.parametrize("library", sorted(ONE_MODULE))
def test_one_module_imports_each_special_library(library: str) -> None:
    assert len(importers(library)) == 1, importers(library)


@pytest.mark.parametrize("library", PLACES)
def test_a_library_stays_in_its_place(library: str) -> None:
    found = importers(library)
    strangers = [path for path in found if not any(Path(path).match(p) for p in PLACES[library])]
    assert strangers == []
    assert bool(found) == bool(PLACES[library]), "a place for a library that nothing imports"


def test_the_command_line_starts_without_heavy_libraries() -> None:
    code = (
        "import sys; heavy = ('torch', 'transformers', 'pandas', 'numpy', 'sklearn');"
        "import scirepeval_harness.cli.main;"
        "print([n for n in heavy if n in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
