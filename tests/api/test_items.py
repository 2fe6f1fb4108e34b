"""Single items from Python and on the command line: numbers, texts, and ranked candidates."""

from __future__ import annotations

import json
import math
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import scirepeval_harness as sh
from scirepeval_harness.api.items import _material
from scirepeval_harness.api.results import models_of
from scirepeval_harness.cli.main import main
from scirepeval_harness.reporting.items import ItemsView, candidate_table
from scirepeval_harness.reporting.table import Table
from scirepeval_harness.results.folder import Result
from scirepeval_harness.run.again import rank_again
from scirepeval_harness.task.registry import load_registry
from tests.support.tiny_models import save_base

BASELINES = Path(__file__).resolve().parents[2] / "results" / "baselines" / "sample"
SEARCH = "sample-search"
QUERY = "search_024"


def view(model: str, task: str = SEARCH, **what: Any) -> ItemsView:
    return sh.items(BASELINES / model, task, **what)


def ndcg(grades: list[int]) -> float:
    """x 100, of the grades of all candidates, best ranked first."""
    got, most = (
        sum(grade / math.log2(rank + 1) for rank, grade in enumerate(order, 1))
        for order in (grades, sorted(grades, reverse=True))
    )
    return 100 * got / most


def test_worst_and_best_are_those_of_the_items() -> None:
    found = view("bm25", worst=3, best=2)
    items = sh.load_results(BASELINES)["bm25"].items(SEARCH)
    values = items.set_index("item")["value"] * 100
    (worst_name, worst), (best_name, best) = found.groups
    assert (worst_name, best_name) == ("Worst 3", "Best 2")
    assert [item.value for item in worst] == sorted(values)[:3]
    assert [item.value for item in best] == sorted(values, reverse=True)[:2]
    assert all(values[item.item] == item.value for item in (*worst, *best))
    assert f"mean {values.mean():.2f}." in found.heading
    assert len(found.to_pandas()) == len(values)


def test_the_ranks_give_the_value_that_is_shown() -> None:
    """nDCG by hand from grades and ranks, of models that are fitted, in the whole pool."""
    for model in ("bm25", "tfidf"):
        (_, items), *_ = view(model, worst=4, best=0).groups
        for item in items:
            grades = {c.rank: c.grade for c in item.candidates}
            assert sorted(grades) == list(range(1, len(grades) + 1))
            assert ndcg([grades[rank] for rank in sorted(grades)]) == pytest.approx(item.value)
            assert item.text
            assert all(c.text for c in item.candidates)


def test_two_results_by_where_they_differ_most() -> None:
    found = view("tfidf", against=BASELINES / "bm25", worst=1, best=1)
    (_, [behind]), (_, [ahead]) = found.groups
    frame = found.to_pandas()
    assert (frame["value"] - frame["other"]).tolist() == pytest.approx(frame["difference"].tolist())
    assert behind.value - (behind.other or 0) == pytest.approx(frame["difference"].min())
    assert ahead.value - (ahead.other or 0) == pytest.approx(frame["difference"].max())
    assert {c.other_rank for c in ahead.candidates} == {c.rank for c in ahead.candidates}
    table = candidate_table(ahead, found.beside, 5)
    assert table.header == ("Candidate", "Text", "Grade", "Rank", "Rank in BM25")


def test_rows_with_truth_and_prediction() -> None:
    found = view("tfidf", "sample-year", against=BASELINES / "minilm", worst=2, best=0)
    assert found.measure == "error"
    ((_, rows),) = found.groups
    frame = found.to_pandas()
    assert rows[0].value - (rows[0].other or 0) == pytest.approx(frame["difference"].max())
    for row in rows:
        assert abs(float(row.truth) - float(row.prediction)) == pytest.approx(row.value, abs=0.6)
    (table,) = found.tables()
    assert table.header[2:5] == ("Truth", "Prediction", "Prediction of all-MiniLM-L6-v2")
    ((_, rows),) = view("tfidf", "sample-topics", worst=1, best=0).groups
    assert rows[0].truth != rows[0].prediction


def test_one_query_by_its_id_in_every_form(capsys: pytest.CaptureFixture[str]) -> None:
    found = view("bm25", query=QUERY, candidates=2)
    ((caption, [item]),) = found.groups
    assert (caption, item.item) == ("Asked for", QUERY)
    assert "<table" in found._repr_html_()
    json.dumps(found.to_json())
    words = ["items", str(BASELINES / "bm25"), SEARCH, "--query", QUERY, "--candidates", "2"]
    for more in ([], ["--json"]):
        with pytest.raises(SystemExit) as end:
            main([*words, *more])
        assert not end.value.code
        assert QUERY in capsys.readouterr().out


@pytest.mark.parametrize("width", [80, 120])
def test_every_line_fits_the_terminal(width: int) -> None:
    found = view("tfidf", "sample-pools", against=BASELINES / "bm25", worst=2, best=1)
    tables = [part for part in found.parts() if isinstance(part, Table)]
    assert any("Candidate" in table.header for table in tables)
    for table in tables:
        assert max(map(len, table.to_terminal(width).splitlines())) <= width


def test_what_is_not_here_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = view("minilm")
    assert found.notes == (
        f"Candidates are not ranked by all-MiniLM-L6-v2: {_lacking(found)} vectors are not in the "
        "store.",
    )
    assert view("bm25", cache=None).notes == (
        "Candidates are not ranked by BM25: no --cache of vectors.",
    )
    other = Path(shutil.copytree(load_registry().suite("sample").folder or "", tmp_path / "sample"))
    found = view("bm25", data=tmp_path)
    assert found.notes[0].startswith("No texts: ")
    assert "--data" in found.notes[0]
    assert not found.groups[0][1][0].candidates
    # The same files with other words are not the rows that were scored.
    for path in other.rglob("*.jsonl"):
        path.write_text(path.read_text().replace("the", "a"))
    found = view("bm25", data=other / "data")
    assert "other rows than the task was scored on" in found.notes[0]


def _lacking(found: ItemsView) -> int:
    shown = [item for _, items in found.groups for item in items]
    return len({i.item for i in shown} | {c.id for i in shown for c in i.candidates})


def test_a_ranking_that_does_not_give_the_numbers_is_not_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry, result = load_registry(), sh.load_results(BASELINES)["bm25"]
    record, suite, task = result.tasks[SEARCH], registry.suite("sample"), registry.task(SEARCH)
    material = _material([result], record, suite, task, None)
    asked: Any = (record, task, models_of(result.run), material, {("", QUERY)}, tmp_path)
    assert ("", QUERY) in rank_again(result, *asked)

    def other(self: Result, task: str) -> pd.DataFrame:
        return items.assign(value=items["value"] + 1e-3)

    items = result.items(SEARCH)
    monkeypatch.setattr(Result, "items", other)
    assert "does not give" in str(rank_again(result, *asked))
    unknown = result.run.model.model_copy(update={"name": "far"})
    gone = replace(result, run=result.run.model_copy(update={"model": unknown}))
    assert rank_again(gone, *asked) == "no model 'far' here"


def test_candidates_are_ranked_from_the_vectors_in_the_store(tmp_path: Path) -> None:
    save_base(tmp_path / "tiny")
    model, cache = f"tiny={tmp_path / 'tiny'}", tmp_path / "cache"
    sh.evaluate(model, tasks=SEARCH, cache=cache, limit=6, output=tmp_path / "out")
    found = sh.items(tmp_path / "out" / "tiny", SEARCH, cache=cache, worst=1, best=1)
    assert found.notes == ()
    for _, (item,) in found.groups:
        ranks = {c.rank: c.grade for c in item.candidates}
        assert sorted(ranks) == list(range(1, len(ranks) + 1))
        assert ndcg([ranks[rank] for rank in sorted(ranks)]) == pytest.approx(item.value)


def test_texts_of_others_do_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bad = "\x1b[31m<script>alert(1)</script> | x"
    data = [{"doc_id": f"d{n}", "title": f"{bad} {n}", "abstract": "words of it"} for n in range(4)]
    rows = [{"doc_id": f"q<b>{n}", "query": f"{bad} {n}", "candidates": data} for n in range(3)]
    labels = [
        {"query_id": row["doc_id"], "cand_id": paper["doc_id"], "score": int(place == n)}
        for n, row in enumerate(rows)
        for place, paper in enumerate(data)
    ]
    (tmp_path / "t.toml").write_text(
        'name = "own"\ntitle = "Own <i>"\nformat = "adhoc_search"\nevaluation = "ranking"\n'
        'metrics = ["map"]\n[local]\ndocuments = "d.jsonl"\nlabels = "."\n'
    )
    for name, lines in (("d.jsonl", rows), ("test_qrel.jsonl", labels)):
        (tmp_path / name).write_text("\n".join(map(json.dumps, lines)) + "\n")
    what: dict[str, Any] = {"tasks_dirs": [tmp_path], "data": tmp_path, "cache": None}
    sh.evaluate("bm25", **what, output=tmp_path / "out")
    # The run's own folder of data is looked at, and no folder of tasks is needed.
    found = sh.items(tmp_path / "out" / "bm25", "own")
    assert found.notes == ()
    page = found._repr_html_()
    assert "<script" not in page
    assert "<b>" not in page.replace("<b>100.00</b>", "")
    with pytest.raises(SystemExit):
        main(["items", str(tmp_path / "out" / "bm25"), "own"])
    assert "\x1b" not in capsys.readouterr().out


def test_mistakes() -> None:
    folder = BASELINES / "bm25"
    for call, message in (
        (lambda: sh.items("nowhere", SEARCH), "no such result folder"),
        (lambda: sh.items(folder, "sample-serch"), "Did you mean sample-search"),
        (lambda: sh.items(folder, SEARCH, worst=-1), "worst must be at least 0"),
        (lambda: sh.items(folder, SEARCH, query="search_9"), "unknown item 'search_9'"),
        (lambda: sh.items(folder, SEARCH, metric="map"), "unknown metric 'map'"),
    ):
        with pytest.raises(sh.HarnessError, match=message):
            call()


def test_two_that_differ_in_protocol_are_refused(tmp_path: Path) -> None:
    sh.evaluate("bm25", tasks=SEARCH, cache=None, limit=10, output=tmp_path)
    with pytest.raises(sh.HarnessError, match="limit") as caught:
        view("bm25", against=tmp_path / "bm25")
    assert caught.value.exit_code == 4
    found = view("bm25", against=tmp_path / "bm25", allow_mismatch=True, worst=1, best=0)
    assert len(found.to_pandas()) == 10
    assert any("limit None against 10" in note.replace("none", "None") for note in found.notes)


def test_relevant_candidates_are_listed_wherever_they_stand() -> None:
    ((_, items),) = view("bm25", worst=3, best=0).groups
    for item in items:
        table = candidate_table(item, None, 2)
        ranks = [int(row[-1].text) for row in table.rows]
        relevant = [c.rank for c in item.candidates if c.grade > 0][:2]
        assert ranks == sorted({1, 2, *(rank or 0 for rank in relevant)})
        assert table.notes == (f"{len(item.candidates) - len(ranks)} more candidates.",)


def test_a_few_shot_setting_says_whose_predictions_are_shown() -> None:
    found = view("tfidf", "sample-fields", setting="10-shot", worst=1, best=0)
    assert "first draw" in found.notes[0]
    assert found.groups[0][1][0].prediction
