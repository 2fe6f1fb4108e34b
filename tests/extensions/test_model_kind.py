"""A kind of model, and a registered model of it, from another package: through every command.

The package is a module and the metadata that an installed distribution has; nothing of it is in
the harness, and each command runs in a process of its own, as for a user.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from scirepeval_harness.task.load import DataOptions, load_task
from scirepeval_harness.task.registry import load_registry

ROOT = Path(__file__).resolve().parents[2]
TASKS = ("sample-cite", "sample-year", "sample-search")
DIMENSIONS = 12
ORIGIN = "package their-models 2.1"
MODULE = '''
import zlib

import numpy as np

from scirepeval_harness.model.base import Identity
from scirepeval_harness.model.spec import ModelKind, ModelSpec


class HashedSpec(ModelSpec):
    """Vectors that hang on the letters of a text; ``buckets`` is their length."""

    buckets: int = 12


class HashedEncoder:
    cacheable = True

    def __init__(self, spec, options):
        self.name, self.buckets = spec.name, spec.buckets

    def identity(self, role):
        return Identity(self.name, role, {"hashed": "1", "buckets": str(self.buckets)})

    def text(self, document, role):
        return " ".join(document.parts)

    def prepare(self, documents):
        pass

    def encode(self, documents, role, advance):
        rows = np.zeros((len(documents), self.buckets), np.float32)
        for row, document in zip(rows, documents):
            for word in self.text(document, role).lower().split():
                row[zlib.crc32(word.encode()) % self.buckets] += 1
        advance(len(documents))
        return rows


KIND = ModelKind(HashedSpec, HashedEncoder)
'''
MODEL = """
name = "hashed"
title = "Hashed words"
kind = "hashing"
buckets = 12
"""
ENTRY_POINTS = """
[scirepeval_harness.model_kinds]
hashing = their_models:KIND

[scirepeval_harness.models]
theirs = their_models:registered
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder on the path that holds the distribution ``their-models``."""
    site = tmp_path_factory.mktemp("site")
    (site / "their_models" / "registered").mkdir(parents=True)
    (site / "their_models" / "__init__.py").write_text(MODULE)
    (site / "their_models" / "registered" / "hashed.toml").write_text(MODEL)
    about = site / "their_models-2.1.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: their-models\nVersion: 2.1\n")
    (about / "entry_points.txt").write_text(ENTRY_POINTS)
    return site


def harness(site: Path, *words: str, code: int = 0) -> str:
    """What a command prints; ``code`` is its exit code."""
    done = subprocess.run(
        [sys.executable, "-m", "scirepeval_harness", *words],
        env=os.environ | {"PYTHONPATH": os.pathsep.join((str(site), str(ROOT)))},
        cwd=site, capture_output=True, text=True, timeout=200,
    )  # fmt: skip
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout + done.stderr


def run(site: Path, output: Path, *models: str) -> None:
    chosen = [word for name in TASKS for word in ("--task", name)]
    named = [word for name in models for word in ("--model", name)]
    harness(site, "run", "--suite", "sample", *named, *chosen, "--output", str(output),
            "--cache", str(output / "cache"))  # fmt: skip


def hashed(text: str) -> list[int]:
    counts = [0] * DIMENSIONS
    for word in text.lower().split():
        counts[zlib.crc32(word.encode()) % DIMENSIONS] += 1
    return counts


@pytest.fixture(scope="module")
def results(site: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Results of the model, of the same vectors given as a file, and of one of a user's own."""
    folder = tmp_path_factory.mktemp("results")
    registry, texts = load_registry(), {}
    for name in TASKS:
        data = load_task(registry.task(name), registry.home(name), DataOptions()).data
        for side in ("documents", "candidates", "queries"):
            for document in getattr(data, side, {}).values():
                text = " ".join(document.parts)
                assert texts.setdefault(document.id, text) == text, "one file can serve all tasks"
    np.savez(folder / "all.npz", ids=list(texts), vectors=[hashed(text) for text in texts.values()])
    # A user's file of the package's kind, with its own key of another value.
    (folder / "small.toml").write_text(MODEL.replace("12", "3").replace("hashed", "small"))
    run(site, folder, "hashed", f"file={folder / 'all.npz'}", str(folder / "small.toml"))
    return folder


def score_file(results: Path, model: str, task: str) -> dict[str, Any]:
    record: dict[str, Any] = json.loads(
        (results / model / "sample" / f"{task}.json").read_text(encoding="utf-8")
    )
    return record


@pytest.mark.parametrize("task", TASKS)
def test_its_numbers_are_those_of_the_same_vectors_in_a_file(results: Path, task: str) -> None:
    theirs, same = (score_file(results, model, task) for model in ("hashed", "file"))
    assert theirs["status"] == "ok"
    assert theirs["scores"] == same["scores"]
    assert theirs["scores"] != score_file(results, "small", task)["scores"]


def test_the_record_says_where_it_came_from(results: Path) -> None:
    record = score_file(results, "hashed", TASKS[0])["model"]
    assert (record["kind"], record["origin"]) == ("hashing", ORIGIN)
    assert record["roles"] == {"proximity": {"hashed": "1", "buckets": "12"}}
    assert score_file(results, "small", TASKS[0])["model"]["origin"] == ORIGIN
    assert "origin" not in score_file(results, "file", TASKS[0])["model"]


def test_compare_check_and_report_take_it_as_any_other(site: Path, results: Path) -> None:
    theirs, same, small = (str(results / name) for name in ("hashed", "file", "small"))
    [pair] = json.loads(harness(site, "compare", theirs, same, "--format", "json"))
    assert {row["difference"] for row in pair["tasks"]} == {0.0}
    [pair] = json.loads(harness(site, "compare", theirs, small, "--format", "json"))
    for row in pair["tasks"]:
        made = score_file(results, "hashed", row["task"])["scores"]
        assert row["a"] == next(score["value"] for score in made if score["key"] == row["key"])
    harness(site, "check", "--baseline", theirs, "--candidate", same)
    assert "small" in harness(site, "check", "--baseline", theirs, "--candidate", small, code=1)
    harness(site, "report", theirs, small, "--output", str(results / "report"))
    assert "Hashed words" in (results / "report" / "report.md").read_text(encoding="utf-8")


def test_results_are_read_where_the_package_is_not(results: Path, tmp_path: Path) -> None:
    harness(tmp_path, "check", "--baseline", str(results / "hashed"),
            "--candidate", str(results / "file"))  # fmt: skip


def test_lists_name_the_package(site: Path) -> None:
    listed = [" ".join(line.split()) for line in harness(site, "models", "list").splitlines()]
    assert listed[0] == "group name title kind base roles extra from"
    assert f"general hashed Hashed words hashing - - - {ORIGIN}" in listed
    assert "lexical bm25 BM25 bm25 - - - built in" in listed
    [record] = [
        record for record in json.loads(harness(site, "models", "list", "--json"))
        if record["name"] == "hashed"
    ]  # fmt: skip
    assert (record["buckets"], record["origin"]) == (12, ORIGIN)
    shown = [
        " ".join(line.split()) for line in harness(site, "models", "show", "hashed").splitlines()
    ]
    assert {"kind hashing", "buckets 12", f"from {ORIGIN}"} <= set(shown)


def test_a_dry_run_counts_what_its_encoder_would_encode(site: Path, tmp_path: Path) -> None:
    said = harness(site, "run", "--suite", "sample", "--task", "sample-cite", "--model", "hashed",
                   "--no-cache", "--dry-run", "--output", str(tmp_path / "out"))  # fmt: skip
    assert "hashed" in said
    assert "to encode" in said
    assert not (tmp_path / "out").exists()


def test_mistakes_in_its_file_are_said_in_its_own_words(site: Path, tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(MODEL.replace("buckets", "bucket"))
    said = harness(site, "models", "show", str(file), code=2)
    assert f"{file}: bucket: unknown key. Did you mean buckets?" in " ".join(said.split())
    file.write_text(MODEL.replace('"hashing"', '"hashign"'))
    said = " ".join(harness(site, "models", "show", str(file), code=2).split())
    assert f"{file}: unknown kind of model 'hashign'. Did you mean hashing?" in said


def test_without_the_package_the_kind_is_unknown(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(MODEL)
    said = " ".join(harness(tmp_path, "models", "show", str(file), code=2).split())
    assert (
        "unknown kind of model 'hashing'. Known are transformer, sentence_transformers, tfidf"
        in said
    )


def test_a_name_that_is_taken_names_both_files(site: Path, tmp_path: Path) -> None:
    second = tmp_path / "second_models"
    (second / "registered").mkdir(parents=True)
    (second / "__init__.py").write_text("")
    (second / "registered" / "mine.toml").write_text(MODEL.replace('"hashed"', '"bm25"'))
    about = tmp_path / "second_models-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: second-models\nVersion: 1.0\n")
    entry = "[scirepeval_harness.models]\nmine = second_models:registered\n"
    (about / "entry_points.txt").write_text(entry)
    both = Path(os.pathsep.join((str(site), str(tmp_path))))
    done = subprocess.run(
        [sys.executable, "-m", "scirepeval_harness", "models", "list"],
        env=os.environ | {"PYTHONPATH": f"{both}{os.pathsep}{ROOT}"},
        capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 2
    assert "model 'bm25' is already defined in" in " ".join(done.stderr.split())
