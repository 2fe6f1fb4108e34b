"""Imports go one way, and each special library has one importer."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "scirepeval_harness"


@pytest.mark.parametrize("library", ["adapters", "pytrec_eval", "datasets", "bm25s"])
def test_one_module_imports_each_special_library(library: str) -> None:
    pattern = re.compile(rf"^\s*(from {library}[. ]|import {library}\b)", re.MULTILINE)
    importers = [path.name for path in PACKAGE.rglob("*.py") if pattern.search(path.read_text())]
    assert len(importers) == 1, importers


@pytest.mark.parametrize(
    ("layer", "above"),
    [
        (
            "specs",
            "data|encoders|encoding|evaluators|probes|ranking|runner|records|leaderboard|cli",
        ),
        ("data", "encoders|encoding|evaluators|probes|ranking|runner|records|leaderboard|cli"),
        ("encoders", "evaluators|probes|ranking|runner|records|leaderboard|cli"),
        ("encoding", "evaluators|probes|ranking|runner|records|leaderboard|cli"),
        ("ranking", "evaluators.probe|runner|records|leaderboard|cli"),
        ("evaluators", "runner|records|leaderboard|cli"),
        ("records", "runner|leaderboard|cli"),
        ("leaderboard", "runner|cli|encoders|data|evaluators"),
        ("statistics", "runner|records|leaderboard|comparison|cli"),
        ("comparison", "runner|cli|encoders|encoding|data|probes|ranking"),
        ("report", "runner|cli|encoders|encoding|evaluators|data|probes|ranking"),
        ("comparison", "report"),
        ("runner", "leaderboard|comparison|report|cli"),
    ],
)
def test_a_layer_does_not_import_what_stands_above(layer: str, above: str) -> None:
    pattern = re.compile(rf"from scirepeval_harness\.({above})\b")
    for path in (PACKAGE / layer).rglob("*.py"):
        assert not pattern.search(path.read_text()), path.name


def test_the_command_line_starts_without_heavy_libraries() -> None:
    code = (
        "import sys; heavy = ('torch', 'transformers', 'pandas', 'numpy', 'sklearn');"
        "import scirepeval_harness.cli.main;"
        "print([n for n in heavy if n in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
