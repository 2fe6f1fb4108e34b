"""The short form of the campaign: a fixed sample of its cases, and that it sees what is bad."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.campaign.inputs import KINDS
from tests.campaign.judge import BAD, Case, Kind, Outcome, cases_of, figures, judge, verdict_of

# Of files that are read without torch, which a fork per case would import each time.
SAMPLE = {
    "documents": ("3.title: boolean", "3.doc_id: null", "file: BOM", "file: named pipe"),
    "qrels": ("2.score: nan", "2.score: 5,000 digits"),
    "policy": ("tolerance.ranking: nan", "floors.tasks.cite: negative", "hard_limit: list"),
    "task file": ("metrics: twice", "file: UTF-16"),
}
KIND = Kind("k", "json", "k.json", lambda folder: None, ("run",))


@pytest.mark.parametrize(
    "kind", [kind for kind in KINDS if kind.name in SAMPLE], ids=lambda kind: kind.name
)
def test_a_sample_of_the_campaign(kind: Kind, tmp_path: Path) -> None:
    chosen = [case for case in cases_of(kind) if case.damage in SAMPLE[kind.name]]
    assert len(chosen) == len(SAMPLE[kind.name])
    bad = [one for one in judge(chosen, tmp_path) if one.verdict in BAD]
    assert not bad


def test_there_are_cases_enough_and_no_two_of_a_name() -> None:
    names = [case.name for kind in KINDS for case in cases_of(kind)]
    assert len(names) > 1_331
    assert len(set(names)) == len(names)


SOUND = Outcome(0, scores={"map": 50.0})
ERROR = ["k.json: not an object. Repair it", "k.json", "Repair it"]


@pytest.mark.parametrize(
    ("damage", "got", "verdict"),
    [
        ("a: text", Outcome(0, scores={"map": 50.0}), "harmless"),
        ("a: text", Outcome(0, scores={"map": 51.0}), "silent"),
        ("a: text", Outcome(0, scores={"map": 51.0}, said=["one query less"]), "said"),
        ("file: named pipe", Outcome(0, scores={"map": 50.0}), "silent"),
        ("a: text", Outcome(None), "hang"),
        ("a: text", Outcome(1), "traceback"),
        ("a: text", Outcome(70, err="Error: a defect"), "traceback"),
        ("a: text", Outcome(-11), "traceback"),
        ("a: text", Outcome(3, err="Traceback (most recent call last)"), "traceback"),
        ("a: text", Outcome(2, err=f"Error: {ERROR[0]}", errors=[ERROR]), "refused"),
        ("a: text", Outcome(2, err="Error: no", errors=[["no", None, "Repair"]]), "bare error"),
        ("a: text", Outcome(2, err="Error: no", errors=[["no", "k.json", None]]), "bare error"),
        ("a: text", Outcome(2, err="Usage: run\nError: Invalid value for '--seed'"), "refused"),
    ],
)
def test_each_verdict(damage: str, got: Outcome, verdict: str) -> None:
    assert verdict_of(Case(KIND, damage), SOUND, got) == verdict


def test_the_figures_are_a_line() -> None:
    counts = {"refused": 1_320, "harmless": 8, "bare error": 3}
    line = "1,331 inputs: 0 silent, 0 tracebacks, 0 hangs, 3 without place or advice"
    assert figures(counts) == line
