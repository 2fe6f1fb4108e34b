"""What shows itself in a notebook or becomes a frame: results, leaderboard, comparison, gate."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from scirepeval_harness.comparison import compare
from scirepeval_harness.comparison.gate import gate
from scirepeval_harness.comparison.policy import Policy
from scirepeval_harness.comparison.systems import measured_system
from scirepeval_harness.reporting.comparison import Comparisons, score_table
from scirepeval_harness.reporting.gate import Verdict
from scirepeval_harness.reporting.leaderboard import Leaderboard
from scirepeval_harness.reporting.table import Cell, Table
from scirepeval_harness.results.folder import SCORE_COLUMNS
from scirepeval_harness.results.leaderboard import measured_row
from tests.support.made_report import Made, made_report


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    return made_report(tmp_path_factory.mktemp("made"))


def test_scores_are_a_tidy_frame_with_a_row_for_a_failed_task(made: Made) -> None:
    frame = made.results[1].scores
    assert tuple(frame.columns) == SCORE_COLUMNS
    assert list(frame["task"]) == ["related", "search", "search", "lost"]
    first, record = frame.iloc[0], made.results[1].tasks["related"].scores[0]
    assert (first["value"], (first["low"], first["high"])) == (record.value, record.interval)
    assert (first["items"], first["setting"], first["status"]) == (40, "full", "ok")
    lost = frame.iloc[3]
    assert lost["status"] == "failed"
    assert lost[["metric", "key", "value", "low", "high"]].isna().all()


def test_a_leaderboard_has_every_form(made: Made) -> None:
    board = Leaderboard(made.report.rows, made.report.suites)
    frame = board.to_pandas()
    assert frame["In-Train"].iloc[0] == made.report.rows[0].means["In-Train"].value
    assert list(frame["published"]) == ["no", "no", "yes"]
    assert "<b>" in board._repr_html_()
    assert board.to_markdown().startswith("Made Suite.\n")
    assert r"\midrule" in board.to_latex()


def test_a_comparison_and_a_gate_show_themselves(made: Made) -> None:
    base, other = (measured_system(result) for result in made.results)
    view = Comparisons([made.report.comparisons[0]])
    frame = view.to_pandas()
    assert list(frame["verdict"]) == [entry.verdict for entry in view[0].tasks]
    assert frame.loc[0, "low"] == view[0].tasks[0].interval[0]  # type: ignore[index]
    assert view._repr_html_().count("<table>") == 3
    report = gate(base, other, [made.suite], made.tasks, Policy(), seed=1)
    shown = Verdict(report)
    assert not shown.passed
    assert shown.exit_code == 3
    assert {case.task for case in shown.failures} >= {"lost"}
    assert len(shown.to_pandas()) == len(report.cases)
    assert "<testsuites" in shown.to_junit()
    assert "Gate failed" in shown._repr_html_()


def test_what_cannot_be_resampled_has_no_interval_and_says_so(
    made: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    def without_map(*arguments: Any) -> Any:
        a, b = draws(*arguments)
        return tuple({k: v for k, v in side.items() if k != "map"} for side in (a, b))

    draws, p_value = compare.paired_draws, compare.paired_p
    monkeypatch.setattr(compare, "paired_draws", without_map)
    monkeypatch.setattr(
        compare, "paired_p", lambda pair, score, seed: None if score.key == "map" else p_value(
            pair, score, seed)
    )  # fmt: skip
    base, other = (measured_system(result) for result in made.results)
    found = compare.examine(base, other, [made.suite], made.tasks, seed=1, allow_mismatch=True)
    related = found.tasks[0]
    assert (related.interval, related.p_value, related.verdict) == (None, None, "unknown")
    assert all(entry.interval is None for entry in found.averages)
    assert [cell.text for cell in score_table(found).rows[0]][5:] == ["-", "-", "-", "unknown"]
    assert "cannot be resampled: related map" in Comparisons([found]).to_markdown()
    # Without a test, a fall over the tolerance fails, and the reason is told.
    cases = gate(other, base, [made.suite], made.tasks, Policy(), seed=1, allow_mismatch=True).cases
    fallen = next(case for case in cases if case.key == "map" and case.task == "related")
    assert fallen.outcome == "regression"
    assert fallen.reason.endswith("a metric that cannot be resampled, so not tested")


def test_an_average_of_what_cannot_be_resampled_has_no_interval(made: Made) -> None:
    result = made.results[0]
    record = result.tasks["related"]
    scores = tuple(score.model_copy(update={"interval": None}) for score in record.scores)
    tasks = {**result.tasks, "related": record.model_copy(update={"scores": scores})}
    row = measured_row(replace(result, tasks=tasks), [made.suite], made.tasks, intervals=True)
    assert row.means["In-Train"].interval is None
    assert row.means["Average"].interval is None
    assert row.means["Out-of-Train"].interval is not None
    assert any("related (map), which cannot be resampled" in note for note in row.notes)


def test_a_hostile_cell_is_harmless_in_every_form() -> None:
    bad = "=<b>|\n&_$"
    table = Table((bad, "n"), ((Cell(bad), Cell("1.0", -1 / 3, best=True)),), caption=bad)
    assert "<b>|" not in table.to_html()
    assert table.to_csv() == "'=<b>| &_$,n\n'=<b>| &_$,-0.3333333333333333\n"
    assert r"| =&lt;b&gt;\| &amp;\_$ | **1.0** |" in table.to_markdown()
    assert r"={\textless}" not in table.to_latex()
    assert r"\textless{}b\textgreater{}\textbar{} \&\_\$ & \textbf{1.0} \\" in table.to_latex()
    assert table.to_values() == [{bad: bad, "n": -1 / 3}]
    assert "\n" not in table.to_text().splitlines()[1]
