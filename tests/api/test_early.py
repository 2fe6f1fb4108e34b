"""`check_early`: the looks, what they save, and that the whole decides as `check` does."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

import scirepeval_harness as sh
from scirepeval_harness.errors import NotComparableError, UsageError
from scirepeval_harness.evaluations.base import evaluation_of
from scirepeval_harness.task.load import DataOptions, load_task
from scirepeval_harness.task.registry import load_registry

PAIRS = [chr(97 + n % 26) + chr(97 + n // 3) for n in range(40)]
TASKS = ["sample-search", "sample-reviewers", "sample-pools", "sample-year"]


class Words:
    """Counts of some words: quick, the same in every process, and not the worst there is."""

    name = "words"
    seen = 0

    def __init__(self, words: int = 40) -> None:
        self._words = words

    def encode(self, texts: list[str]) -> list[list[float]]:
        self.seen += len(texts)
        return [
            [
                float(text.lower().count(chr(97 + n % 26) + chr(97 + n // 3)))
                for n in range(self._words)
            ]
            for text in texts
        ]


@pytest.fixture(scope="module")
def baseline(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("baseline")
    results = sh.evaluate(
        Words(), suite="sample", tasks=TASKS, cache=None, output=folder, limit=60, probe="exact"
    )
    results.require_complete()
    return folder / "words"


def test_an_equal_model_goes_to_the_whole_and_passes(baseline: Path, tmp_path: Path) -> None:
    found = sh.check_early(Words(), baseline=baseline, cache=None, output=tmp_path / "out")
    assert (found.passed, found.stopped, found.saved, found.exit_code) == (True, False, 0.0, 0)
    assert [look.share for look in found.looks] == [0.125, 0.25, 0.5]
    texts = [look.texts for look in found.looks]
    assert texts == sorted(texts)
    assert texts[-1] < found.texts
    assert str(found) == "Judged on the whole, after 3 looks at parts: nothing saved."
    # Seed, probe and limit are the baseline's, and the scores those of an ordinary run.
    [result] = sh.load_results(tmp_path / "out").values()
    [own] = sh.load_results(baseline).values()
    assert result.scores.equals(own.scores)


def test_a_worse_model_is_stopped_and_encodes_no_more_than_was_looked_at() -> None:
    worse = Words(2)
    found = sh.check_early(
        worse, baseline="results/baselines/sample/minilm", cache=None, shares=[0.3, 0.6]
    )
    assert (found.passed, found.stopped, found.exit_code) == (False, True, 1)
    assert worse.seen <= found.looks[-1].texts < found.texts
    assert found.saved == 1 - found.looks[-1].texts / found.texts
    assert "% saved" in str(found)
    tasks = {case.task for case in found.verdict.report.cases}
    assert {"sample-search", "sample-reviewers", "sample-pools"} < tasks
    assert not tasks & {"sample-year", "averages"}
    assert "of its queries)" in found.verdict.to_markdown()


def test_what_is_fitted_to_its_documents_has_no_parts(baseline: Path) -> None:
    found = sh.check_early("tfidf", baseline=baseline, cache=None)
    assert not found.looks
    assert "no part can be judged" in str(found)


def test_what_cannot_be_judged_early_is_refused_before_anything_is_encoded(
    baseline: Path, tmp_path: Path
) -> None:
    model = Words()
    with pytest.raises(UsageError, match="alpha = 1"):
        sh.check_early(model, baseline=baseline, policy=sh.Policy(alpha=1))
    with pytest.raises(UsageError, match="growing numbers"):
        sh.check_early(model, baseline=baseline, shares=[0.5, 0.25])
    with pytest.raises(UsageError, match="no result folder with items"):
        sh.check_early(model, baseline="published:specter2")
    other = "results/baselines/sample/tfidf"
    data = tmp_path / "data"
    shutil.copytree("tasks/sample/data", data)
    pages = data / "search" / "meta.jsonl"
    pages.write_text(pages.read_text().replace(" the ", " a "))
    with pytest.raises(NotComparableError, match="other rows"):
        sh.check_early(model, baseline=other, data={"sample": data})
    assert model.seen == 0


@pytest.mark.parametrize(
    "name", ["sample-search", "sample-cite", "sample-reviewers", "sample-pools"]
)
def test_parts_are_nested_and_the_whole_is_the_last(name: str) -> None:
    registry = load_registry()
    task = registry.task(name)
    kind = evaluation_of(task)
    data = load_task(task, registry.home(name), DataOptions()).data
    sizes = []
    for share in (0.2, 0.5, 1.0):
        part = kind.part(data, share)
        documents = kind.documents(part)
        assert documents.items() <= kind.documents(data).items()
        sizes.append(set(documents))
    assert sizes[0] < sizes[1] <= sizes[2]
    assert list(kind.fingerprint(part)) == list(kind.fingerprint(data))
