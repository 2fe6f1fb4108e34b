"""From the hub to the leaderboard row, for every system of the table, as a user runs it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.hub_runs import NOWHERE, clone_with_addresses, harness, serve_files
from tests.support.hub_server import serve
from tests.support.tiny_benchmark import build_hub_datasets, build_mdcr
from tests.support.tiny_models import build_hub_models

SYSTEMS = ("specter2", "specter", "scincl", "scirepeval-adapters", "specter2-base",
           "scirepeval-ctrl", "scibert", "bm25")  # fmt: skip


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_one_command_alone_gives_the_whole_row(tmp_path: Path) -> None:
    """On a machine without a cache: models and tasks from the hub, MDCR from its address."""
    build_hub_models(tmp_path / "served")
    build_hub_datasets(tmp_path / "served", converted=False)
    build_mdcr(tmp_path / "files" / "mdcr")
    words = ["run", "--model", "specter2"]
    with serve(tmp_path / "served") as hub, serve_files(tmp_path / "files") as address:
        clone = clone_with_addresses(tmp_path / "clone", {"mdcr": f"{address}/mdcr/"})
        done = harness([*words, "--output", "out"], tmp_path, hub.url, clone)
        assert done.returncode == 0, done.stderr
        # S2AND, which needs an environment of its own, is left out in words and in the count.
        assert "(26 of 27)" in done.stdout
        assert "s2and setup" in done.stdout + done.stderr
        # A pipe gets lines of the run, and no bars of the libraries that it uses.
        assert "Fetching" not in done.stderr
        assert "examples/s" not in done.stderr
        asked = len(hub.asked)
        again = harness([*words, "--offline", "--output", "again"], tmp_path, hub.url, clone)
        assert again.returncode == 0, again.stderr
        assert len(hub.asked) == asked, "an offline run opens no connection"
    scores = sorted((tmp_path / "out").rglob("specter2/*/*.json"))
    assert len(scores) == 22 + 1
    for path in scores:
        assert path.read_bytes() == (tmp_path / "again" / path.relative_to(tmp_path / "out")
                                     ).read_bytes()  # fmt: skip
    search = json.loads((tmp_path / "out/specter2/scirepeval/search.json").read_text())
    roles = search["model"]["roles"]
    assert roles["query"]["adapter"] == "allenai/specter2_adhoc_query"
    assert roles["proximity"]["adapter"] == "allenai/specter2"
    run = json.loads((tmp_path / "again/specter2/run.json").read_text())
    assert run["documents_encoded"] == 0


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_every_system_of_the_published_table_gives_a_whole_row(tmp_path: Path) -> None:
    build_hub_models(tmp_path / "served")
    build_hub_datasets(tmp_path / "served")
    build_mdcr(tmp_path / "mdcr")
    models = [word for name in SYSTEMS for word in ("--model", name)]
    with serve(tmp_path / "served") as hub:
        first = harness(
            ["run", *models, "--suite", "scirepeval", "--output", "out"], tmp_path, hub.url
        )
        assert first.returncode == 0, first.stderr
        second = harness(
            ["run", *models, "--suite", "mdcr", "--data", "mdcr", "--output", "mdcr-out"],
            tmp_path,
            hub.url,
        )
        assert second.returncode == 0, second.stderr
    for name in SYSTEMS:
        run = json.loads((tmp_path / "out" / name / "run.json").read_text())
        assert len(run["tasks"]) == (10 if name == "bm25" else 22)
        pools = json.loads((tmp_path / "mdcr-out" / name / "mdcr/mdcr.json").read_text())
        fields = [score for score in pools["scores"] if score["field"] is not None]
        assert len(fields) == 3 * 19
        for metric in ("map", "ndcg", "recall_5"):
            mean = next(s["value"] for s in pools["scores"] if s["key"] == metric)
            own = [score["value"] for score in fields if score["metric"] == metric]
            assert mean == pytest.approx(sum(own) / 19)
    shown = harness(["leaderboard", "mdcr-out", "--published"], tmp_path, hub.url).stdout
    assert "SPECTER2-Adapters (published)" in shown


@pytest.mark.slow
def test_a_hub_that_does_not_answer_is_one_line(tmp_path: Path) -> None:
    words = ["run", "--model", "specter2", "--task", "search", "--output", "out"]
    done = harness(words, tmp_path, NOWHERE)
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].startswith("Error: ")
    assert "FAILED" not in done.stderr
    assert "Traceback" not in done.stderr
