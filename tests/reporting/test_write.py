"""The folder of a report: every file, the same bytes, nothing elsewhere."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

from scirepeval_harness.reporting.build import build_report
from scirepeval_harness.reporting.pages import default_folder, write_report
from scirepeval_harness.results.folder import load_results
from tests.support.golden import HOSTILE
from tests.support.made_report import made_report, made_suite

FILES = [
    "leaderboard.csv",
    "leaderboard.json",
    "leaderboard.tex",
    *(f"plots/{name}.{kind}" for name in ("averages", "deltas-1", "heatmap", "speed")
      for kind in ("png", "svg")),
    "report.html",
    "report.md",
]  # fmt: skip


def contents(folder: Path) -> dict[str, bytes]:
    paths = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


def test_every_file_is_written_and_nothing_else(tmp_path: Path) -> None:
    report = made_report(tmp_path / "results").report
    before = contents(tmp_path / "results")
    written = write_report(report, tmp_path / "out")
    assert [path.relative_to(tmp_path / "out").as_posix() for path in written] == sorted(FILES)
    assert sorted(contents(tmp_path / "out")) == sorted(FILES)
    assert contents(tmp_path / "results") == before
    assert {path.name for path in tmp_path.iterdir()} == {"results", "out"}


def test_the_same_results_give_the_same_bytes_wherever_they_lie(tmp_path: Path) -> None:
    made_report(tmp_path / "one")
    shutil.copytree(tmp_path / "one", tmp_path / "elsewhere" / "two")
    suite, tasks = made_suite()
    for place in ("one", "elsewhere/two"):
        results = load_results([tmp_path / place])
        report = build_report(results, [suite], tasks)
        write_report(report, tmp_path / "out" / place)
    first = contents(tmp_path / "out" / "one")
    assert first == contents(tmp_path / "out" / "elsewhere" / "two")
    assert str(tmp_path).encode() not in b"".join(first.values())


def test_plots_of_an_earlier_report_are_removed_and_other_files_left(tmp_path: Path) -> None:
    report = made_report(tmp_path / "results").report
    write_report(report, tmp_path / "out")
    own = tmp_path / "out" / "plots" / "mine.svg"
    own.write_text("mine")
    write_report(replace(report, comparisons=()), tmp_path / "out")
    assert not (tmp_path / "out" / "plots" / "deltas-1.svg").exists()
    assert own.read_text() == "mine"


def test_hostile_titles_do_not_move_the_files(tmp_path: Path) -> None:
    report = made_report(tmp_path / "results", titles=(HOSTILE[3], HOSTILE[0])).report
    write_report(report, tmp_path / "out")
    assert sorted(contents(tmp_path / "out")) == sorted(FILES)
    folder = default_folder(report)
    assert folder.parts[:2] == ("results", "reports")
    assert len(folder.parts) == 3


def test_the_default_folder_depends_on_what_is_shown(tmp_path: Path) -> None:
    report = made_report(tmp_path).report
    assert default_folder(report) == default_folder(report)
    assert default_folder(report) != default_folder(replace(report, comparisons=()))
    assert default_folder(report).name.startswith("made-")
