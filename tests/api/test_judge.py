"""The leaderboard, comparisons, the gate and reports from Python, on the committed baselines."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest

import scirepeval_harness as sh

BASELINES = Path(__file__).resolve().parents[2] / "results" / "baselines" / "sample"


@pytest.fixture(scope="module")
def results() -> sh.Results:
    return sh.load_results(BASELINES)


def test_the_leaderboard_in_every_form(results: sh.Results) -> None:
    board = results.leaderboard(intervals=True)
    frame = board.to_pandas()
    assert frame.loc["all-MiniLM-L6-v2", "Average"] == pytest.approx(65.7, abs=0.05)
    assert "| BM25 |" in board.to_markdown()
    assert board.to_csv().startswith("model,")
    assert r"\begin{table}" in board.to_latex()
    assert "<table" in board._repr_html_()
    assert sh.leaderboard(BASELINES, intervals=True).to_markdown() == board.to_markdown()


def test_published_rows_and_readings(results: sh.Results) -> None:
    board = sh.leaderboard(published=True, suite="scirepeval")
    assert any("SPECTER2" in str(title) for title in board.to_pandas().index)
    other = results.leaderboard(few_shot="full_and_mean_of_few_shot").to_pandas()
    assert not other.equals(results.leaderboard().to_pandas())


def test_a_comparison(results: sh.Results) -> None:
    (comparison,) = found = sh.compare(results["tfidf"], BASELINES / "minilm")
    frame = found.to_pandas()
    year = frame[frame["task"] == "sample-year"].iloc[0]
    assert year["difference"] == pytest.approx(-24.6, abs=0.05)
    assert year["verdict"] == "worse"
    assert comparison.losses == 1
    assert "sample-year" in found.to_markdown() or "Year (sample)" in found.to_markdown()
    json.dumps(found.to_json())
    assert "<table" in found._repr_html_()
    several = sh.compare(*(str(BASELINES / name) for name in ("tfidf", "minilm", "bm25")))
    assert [entry.other for entry in several] == ["all-MiniLM-L6-v2", "BM25"]


def test_the_gate(results: sh.Results, tmp_path: Path) -> None:
    verdict = sh.check(baseline=results["tfidf"], candidate=results["minilm"])
    assert (verdict.passed, verdict.exit_code) == (False, 1)
    assert [case.task for case in verdict.failures] == ["sample-year"]
    suite = ElementTree.fromstring(verdict.to_junit())
    assert len(suite.findall(".//failure")) == 1
    assert "Gate failed" in verdict.to_markdown()
    frame = verdict.to_pandas()
    assert (frame["outcome"] == "regression").sum() == 1
    assert sh.check(baseline=results["tfidf"], candidate=results["tfidf"]).passed
    policy = tmp_path / "gate.toml"
    policy.write_text("[tolerance.tasks]\nsample-year = 30\n")
    assert sh.check(baseline=results["tfidf"], candidate=results["minilm"], policy=policy).passed
    rules = sh.Policy.model_validate({"tolerance": {"tasks": {"sample-year": 30}}})
    assert sh.check(baseline=results["tfidf"], candidate=results["minilm"], policy=rules).passed


def test_a_missing_score_fails_the_gate_with_3(results: sh.Results) -> None:
    assert sh.check(baseline=results["tfidf"], candidate=results["bm25"]).exit_code == 3


def test_a_report(results: sh.Results, tmp_path: Path) -> None:
    written = sh.report(results, tmp_path / "report", baseline=results["tfidf"])
    assert written.page.is_file()
    assert {path.name for path in written.files} >= {"report.md", "report.html"}
    again = sh.report(BASELINES, tmp_path / "again", baseline=str(BASELINES / "tfidf"))
    for path in written.files:
        other = again.folder / path.relative_to(written.folder)
        assert path.read_bytes() == other.read_bytes()
    card = sh.report(results["tfidf"], tmp_path / "one", model_card=tmp_path / "README.md")
    assert card.model_card_results
    with pytest.raises(sh.HarnessError, match="a model card is of one model"):
        sh.report(results, tmp_path / "two", model_card=tmp_path / "README.md")


def test_mistakes(results: sh.Results, tmp_path: Path) -> None:
    b, empty = results["tfidf"], tmp_path / "policy.toml"
    empty.write_text("")
    for call, message in (
        (lambda: sh.compare(results["tfidf"]), "one system"),
        (lambda: sh.compare(results["tfidf"], "nowhere"), "no folder"),
        (lambda: sh.leaderboard(), "nothing to show"),
        (lambda: sh.load_results(tmp_path), "no results here"),
        (lambda: sh.check(baseline=results["tfidf"], candidate="nowhere"), "no such result"),
        (lambda: sh.check(baseline=b, candidate=b, policy=empty), "no rule"),
        (lambda: results["tf-idf"], "unknown result"),
    ):
        with pytest.raises(sh.HarnessError, match=message):
            call()


def test_results_of_one_name_are_told_apart_by_folder() -> None:
    both = sh.load_results(BASELINES / "tfidf", BASELINES / "tfidf")
    assert len(both) == 2


def test_partial_rows_stand_below_whole_ones(results: sh.Results) -> None:
    whole = ["TF-IDF", "all-MiniLM-L6-v2"]
    titles = [row.title for row in results.leaderboard().rows]
    assert sorted(titles[:2]) == whole
    assert titles[2] == "BM25", "it has the highest mean of the fewest numbers"
    for column, first in (("Average", "all-MiniLM-L6-v2"), ("Out-of-Train", "all-MiniLM-L6-v2")):
        board = sh.leaderboard(BASELINES, sort=column)
        assert board.rows[0].title == first
        assert board.rows[2].title == "BM25"
    # Of a column that is whole everywhere, all rows compare.
    board = sh.leaderboard(BASELINES, sort="MDCR MAP", published=False)
    means = [row.means["MDCR MAP"].value for row in board.rows]
    assert means == sorted(means, reverse=True)
    published = sh.leaderboard(published=True, sort="Average").rows
    assert published[0].title == "SPECTER2-Adapters"
    assert published[-1].title == "BM25", "a row without the number comes last"
    with pytest.raises(sh.HarnessError, match="Did you mean Average"):
        sh.leaderboard(BASELINES, sort="Averag")


def test_a_board_by_task(results: sh.Results) -> None:
    board = sh.leaderboard(BASELINES, by="task")
    frame = board.to_pandas()
    search = results["tfidf"].tasks["sample-search"].scores[0].value
    assert frame.loc[("Search (sample)", "ndcg"), "TF-IDF"] == search
    # What BM25 cannot do is no number, and nowhere best.
    assert frame.loc[("Topics (sample)", "f1_macro")].isna()["BM25"]
    assert "**81.4**" in board.to_markdown()
    assert "(x of y)" not in board.to_markdown()
    best = sh.leaderboard(BASELINES, by="task", sort="TF-IDF").to_pandas()["TF-IDF"]
    assert list(best) == sorted(best, reverse=True)
    published = sh.leaderboard(BASELINES, by="task", published=True, suite="scirepeval")
    assert any("SPECTER2" in name for name in published.to_pandas().columns)
    with pytest.raises(sh.HarnessError, match="unknown system"):
        sh.leaderboard(BASELINES, by="task", sort="Average")
