"""The content of a report, against values worked out by hand."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from scirepeval_harness.errors import UsageError
from scirepeval_harness.reporting import provenance
from scirepeval_harness.reporting.build import build_report, check_suites, unique_titles
from scirepeval_harness.task.spec import Readings
from tests.support.made_report import Made, made_report, made_suite


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    return made_report(tmp_path_factory.mktemp("made"))


def test_rows_hold_averages_counts_and_intervals(made: Made) -> None:
    a, b, published = made.report.rows
    assert (a.title, b.title, published.title) == ("Model A", "Model B", "Old Model")
    assert [row.published for row in made.report.rows] == [False, False, True]
    # Every score of Model A is the mean of 0.3 ... 0.7; Model B lost the only out-of-train task.
    for cell in a.means.values():
        assert cell.value == pytest.approx(50.0)
        assert cell.interval is not None
        assert cell.interval[0] < 50.0 < cell.interval[1]
    assert b.means["Out-of-Train"].value is None
    assert (b.means["Average"].have, b.means["Average"].need) == (3, 4)
    assert published.means["In-Train"].value == 61.2
    assert "Average" not in published.means


def test_published_rows_of_another_task_set_are_left_out(made: Made) -> None:
    assert "Other Set" not in {row.title for row in made.report.rows}


def test_scores_by_task_stand_beside_published_ones(made: Made) -> None:
    lines = {(line.task, line.key): line for line in made.report.scores}
    assert list(lines) == [
        ("related", "map"),
        ("search", "map"),
        ("search", "ndcg"),
        ("lost", "map"),
    ]
    a, b, published = lines["related", "map"].scores
    assert a is not None
    assert b is not None
    assert published is not None
    assert a.value == pytest.approx(50.0)
    assert b.value - a.value == pytest.approx(1.0, abs=0.1)
    assert published.value == 52.5
    assert published.interval is None
    assert lines["lost", "map"].scores[1] is None
    assert lines["lost", "map"].group == "Out-of-Train"


def test_formats_are_means_over_the_tasks_of_a_format(made: Made) -> None:
    first, second = made.report.formats
    assert list(first.means) == ["proximity", "adhoc_search"]
    proximity = [row.means["proximity"] for row in (first, second)]
    assert [(mean.have, mean.need) for mean in proximity] == [(2, 2), (1, 2)]
    values = [line.scores[1] for line in made.report.scores if line.task == "search"]
    mean = sum(score.value for score in values if score) / 2
    assert second.means["adhoc_search"].value == pytest.approx(mean)


def test_numbers_are_those_that_enter_a_column(made: Made) -> None:
    found = [(line.title, line.metric, line.group) for line in made.report.numbers]
    assert found == [
        ("Related Papers", "map", "In-Train"),
        ("Search", "map", "In-Train"),
        ("Search", "ndcg", "In-Train"),
        ("Lost", "map", "Out-of-Train"),
    ]


def test_gaps_and_warnings_name_the_task_and_the_reason(made: Made) -> None:
    partial, failed = made.report.gaps
    assert (partial.system, partial.task, partial.documents) == ("Model B", "search", (20, 40))
    assert (failed.task, failed.status, failed.reason) == ("lost", "failed", "no vectors: Model B")
    assert made.report.warnings == ("Model B, lost: Model B",)


def test_what_several_tasks_warn_of_is_one_line(made: Made) -> None:
    result = made.results[0]
    first, second, *_ = result.tasks
    told = {first: ("alike", "own"), second: ("alike",)}
    tasks = {
        name: record.model_copy(update={"warnings": told.get(name, ())})
        for name, record in result.tasks.items()
    }
    lines = list(provenance.warnings("A", replace(result, tasks=tasks)))
    assert lines == [f"A, {first}, {second}: alike", f"A, {first}: own"]


def test_a_task_of_another_version_is_a_gap_and_no_score(made: Made) -> None:
    newer = {**made.tasks, "search": made.tasks["search"].model_copy(update={"version": 7})}
    report = build_report([r.under(newer) for r in made.results], [made.suite], newer)
    gap = next(gap for gap in report.gaps if (gap.system, gap.task) == ("Model A", "search"))
    assert (gap.status, gap.reason) == (
        "outdated",
        "scored under version 1 of the task, which is at 7",
    )
    mean = report.rows[0].means["In-Train"]
    assert (mean.have, mean.need) == (1, 3)
    assert mean.value == pytest.approx(50.0)


def test_readings_say_whether_they_are_the_default(made: Made) -> None:
    assert {entry.name: entry.default for entry in made.report.readings} == {
        "few_shot": True,
        "reviewer_matching": True,
        "author_disambiguation": True,
    }
    constant = Readings(author_disambiguation="constant")
    own = made.suite.model_copy(update={"readings": constant})
    found = {e.name: e.value for e in build_report(made.results, [own], made.tasks).readings}
    assert found["author_disambiguation"] == "constant"
    assert found["author_disambiguation_constant"] == "96.5"


def test_seconds_are_summed_by_phase_and_documents_counted_a_second(made: Made) -> None:
    first, second = made.report.executions
    assert first.seconds == {"load": 1.5, "encode": 6.0, "score": 0.75}
    assert first.documents_per_second == pytest.approx(300 / 6.0)
    assert second.documents_per_second is None, "all of its vectors came from the store"
    assert (
        first.command == "python -m scirepeval_harness run --model 'Model A' --suite made --seed 42"
    )


def test_the_comparison_is_the_one_that_was_given(made: Made) -> None:
    (comparison,) = made.report.comparisons
    assert (comparison.base, comparison.other) == ("Model A", "Model B")
    verdicts = {(e.task, e.key): e.verdict for e in comparison.tasks}
    assert verdicts["related", "map"] == "better"


def test_equal_titles_are_told_apart(made: Made) -> None:
    first = made.results[0]
    moved = replace(first, folder=Path("elsewhere") / "other")
    assert unique_titles([first, moved]) == (
        f"Model A [{first.folder.name}]",
        "Model A [other]",
    )
    again = replace(first, folder=Path("elsewhere") / first.folder.name)
    name = f"Model A [{first.folder.name}]"
    assert unique_titles([first, again]) == (f"{name} (1)", f"{name} (2)")


def test_one_task_on_made_data_marks_the_suite(made: Made) -> None:
    assert not made.report.synthetic
    first = made.results[0]
    record = first.tasks["related"]
    assert record.data is not None
    data = record.data.model_copy(update={"synthetic": True})
    task = record.model_copy(update={"data": data})
    own = replace(first, tasks={**first.tasks, "related": task})
    report = build_report([own], [made.suite], made.tasks)
    assert report.synthetic
    assert report.suites[0].synthetic


def test_suites_that_do_not_compare_are_refused() -> None:
    suite, _ = made_suite()
    other = suite.model_copy(update={"name": "other", "task_set": "v1"})
    with pytest.raises(UsageError, match="task sets made, v1 do not compare"):
        check_suites([suite, other])
    with pytest.raises(UsageError, match="two suites have a column 'In-Train'"):
        check_suites([suite, suite.model_copy(update={"name": "other"})])
