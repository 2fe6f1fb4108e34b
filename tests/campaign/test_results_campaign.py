"""The short form of the campaign against result folders: ``python -m tests.campaign.results``."""

from __future__ import annotations

from pathlib import Path

from tests.campaign.results import campaign


def test_no_damage_changes_a_number(tmp_path: Path) -> None:
    trials = campaign(30, 3, tmp_path, commands=("leaderboard",))
    wrong = [trial for trial in trials if trial.outcome not in ("same", "refused")]
    assert not wrong
    assert len({trial.damage for trial in trials}) == 6
    assert {trial.kind for trial in trials} == {"sealed", "sealed again", "of version 1"}
