"""What a run costs is said before it begins, and an estimate is called one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import huggingface_hub.constants
import pytest

import scirepeval_harness as sh
from scirepeval_harness.model.base import EncodeOptions, build_model
from scirepeval_harness.model.kinds import EnsembleSpec
from scirepeval_harness.model.registry import load_models
from scirepeval_harness.options import RunOptions
from scirepeval_harness.run import cost
from scirepeval_harness.run.loading import TaskLoader
from scirepeval_harness.run.plan import plan_run
from scirepeval_harness.task.registry import load_registry
from tests.support.hub_runs import NOWHERE
from tests.support.hub_server import Hub, serve
from tests.support.tiny_benchmark import build_hub_datasets
from tests.support.tiny_models import build_hub_models


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("served")
    build_hub_models(root)
    build_hub_datasets(root, converted=False)
    return root


@pytest.fixture
def hub(served: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    with serve(served) as server:
        monkeypatch.setattr(huggingface_hub.constants, "ENDPOINT", server.url)
        # Before huggingface_hub 2 its module of downloads keeps a copy of the address.
        for holder in ("huggingface_hub.file_download", "huggingface_hub.constants"):
            name = f"{holder}.HUGGINGFACE_CO_URL_TEMPLATE"
            url = server.url + "/{repo_id}/resolve/{revision}/{filename}"
            monkeypatch.setattr(name, url, raising=False)
        yield server


def test_a_plan_asks_the_hub_for_sizes_and_downloads_nothing(
    hub: Hub, served: Path, tmp_path: Path
) -> None:
    plan = sh.plan("specter2", tasks=["search", "nfcorpus"], cache=tmp_path / "cache")
    sizes = {one.name: one.bytes for one in plan.cost.downloads}
    assert len(sizes) == 7
    folder = next((served / "models/allenai/specter2_base").iterdir())
    files = [path for path in folder.iterdir() if path.suffix in (".json", ".txt", ".safetensors")]
    weights = [path for path in folder.iterdir() if path.name.endswith((".bin", ".safetensors"))]
    assert weights
    assert sizes["allenai/specter2_base"] == sum(path.stat().st_size for path in {*files, *weights})
    tables = next((served / "datasets/allenai/scirepeval").iterdir())
    wanted = [*tables.glob("search/*.parquet"), *tables.glob("nfcorpus/*.parquet")]
    assert sizes["allenai/scirepeval"] == sum(path.stat().st_size for path in wanted)
    # One call a repository, and no file of any.
    assert len(hub.asked) == len(set(hub.asked)) == 7
    assert all(path.startswith("/api/") for path in hub.asked)
    assert not list((tmp_path / "hub").rglob("*.parquet"))
    assert plan[0].expected == plan[0].documents == 26_000 + 44_600
    assert plan.cost.disk == (26_000 + 44_600) * (4 * 768 + 16)
    assert not plan.cost.encode_measured
    assert "not counted" in plan[0].summary


@pytest.mark.parametrize("model", ["specter", "allenai/specter"])
def test_a_run_says_what_it_downloads_before_it_downloads(
    model: str, hub: Hub, tmp_path: Path
) -> None:
    """Building a model fetches its base, which is the largest part."""
    [planned] = [
        one
        for one in sh.plan(model, tasks="search", cache=None).cost.downloads
        if "/specter" in one.name
    ]
    hub.asked.clear()

    class Listener(sh.Silent):
        def say(self, line: str) -> None:
            if line.startswith("to download: "):
                said.append((line, [path for path in hub.asked if not path.startswith("/api/")]))

    said: list[tuple[str, list[str]]] = []
    sh.evaluate(model, tasks="search", limit=2, cache=None, progress=Listener(), device="cpu")
    [(line, before)] = said
    assert planned.bytes
    assert f"allenai/specter {cost.size(planned.bytes)}" in line
    assert "allenai/scirepeval " in line
    # Which files of a repository are needed hangs on whether it has this one.
    assert all(path.endswith("/modules.json") for path in before)
    assert any(path.endswith((".bin", ".safetensors")) for path in hub.asked)


def test_a_run_asks_the_hub_for_each_table_once(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not when it arrives and again when it is read: between the two a branch may move."""
    calls: Counter[tuple[str, str, bool]] = Counter()
    real = huggingface_hub.snapshot_download

    def counted(repo: str, **more: Any) -> str:
        calls[repo, more["allow_patterns"][0], more["local_files_only"]] += 1
        return real(repo, **more)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", counted)
    words: dict[str, Any] = {"tasks": ["search", "nfcorpus"], "limit": 2, "cache": None}
    for offline in (False, False, True):
        calls.clear()
        assert sh.evaluate(["tfidf", "bm25"], **words, offline=offline).complete
        opened = {key: count for key, count in calls.items() if key[2] == offline}
        assert len(opened) == 4
        assert set(opened.values()) == {1}


@pytest.mark.parametrize("name", ["potion-base-8m", "specter", "minilm"])
def test_weights_of_every_kind_on_the_hub_are_counted(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    base = cast(Any, load_models()[name]).base
    repos = [repo for repo, _, _ in cost.absent_weights(load_models()[name])]
    assert repos == ([] if base.repo is None else [base.repo])
    both = EnsembleSpec(
        name="both", title="both", members=(name, "potion-base-8m"), combine="concatenate"
    )
    assert {repo for repo, _, _ in cost.absent_weights(both)} == {
        *repos,
        "minishlab/potion-base-8M",
    }


def test_offline_nobody_is_asked(hub: Hub) -> None:
    plan = sh.plan("specter2", tasks="search", cache=None, offline=True)
    assert hub.asked == []
    assert "size not told (offline): allenai/specter2_base" in plan.cost.downloads_in_words
    assert plan.cost.disk == 0


def test_a_hub_that_does_not_answer_is_asked_once(
    hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = []
    real = huggingface_hub.HfApi.repo_info

    def counted(self: huggingface_hub.HfApi, *words: object, **more: object) -> object:
        calls.append(words)
        return real(self, *words, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(huggingface_hub.constants, "ENDPOINT", NOWHERE)
    monkeypatch.setattr(huggingface_hub.HfApi, "repo_info", counted)
    plan = sh.plan("specter2", tasks="search", cache=None)
    assert len(calls) == 1
    assert plan.cost.downloads_in_words.startswith("size not told: ")


def test_what_an_earlier_run_took_is_what_the_next_expects(tmp_path: Path) -> None:
    words = {"suite": "sample", "tasks": "sample-search", "cache": tmp_path}
    assert not sh.plan("tfidf", **words).cost.score_measured
    results = sh.evaluate("tfidf", **words)
    [entry] = results["tfidf"].run.tasks
    after = sh.plan("tfidf", **words).cost
    assert after.score_measured
    took = sum(seconds for phase, seconds in entry.seconds.items() if phase != "encode")
    assert after.score == pytest.approx(took, abs=0.01)
    assert "measured here" in after.line
    assert not sh.plan("tfidf", **words, probe="fast").cost.score_measured
    (tmp_path / cost.TIMES).write_text("[]")
    assert not sh.plan("tfidf", **words).cost.score_measured


def test_rates_of_devices(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    spec = load_models()["specter2"]
    options = RunOptions(output=Path(), dtype="bfloat16")
    monkeypatch.setattr(cost, "choose_devices", lambda asked: ("cpu",))
    monkeypatch.setattr(cost.os, "cpu_count", lambda: 2)
    # Two cores of the machine in docs/speed.md: 2,084 tokens a second.
    assert cost.device_rate(spec, options) == pytest.approx(2_080)
    monkeypatch.setattr(cost, "choose_devices", lambda asked: ("cuda:0", "cuda:1"))
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: "NVIDIA H200")
    # docs/scale.md: 2.23 million for one.
    assert cost.device_rate(spec, options) == pytest.approx(2 * 2.23e6, rel=0.02)
    half = RunOptions(output=Path(), dtype="tf32")
    assert cost.device_rate(spec, half) == pytest.approx(2.23e6, rel=0.02)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: "Some Card 1")
    assert cost.device_rate(spec, options) is None
    unknown = cost.Cost(encode=None)
    assert "encoding unknown (nothing measured here yet)" in unknown.line


def test_how_many_documents_are_expected_moves_no_definition() -> None:
    task = sh.tasks()["search"]
    other = task.model_copy(update={"expected_documents": None})
    assert task.expected_documents
    assert task.definition_hash() == other.definition_hash()
    assert "expected_documents" not in other.model_dump()


def test_a_draw_expects_its_share_of_the_documents_once(tmp_path: Path) -> None:
    text = 'name = "half"\ntitle = "Half"\nof = "scirepeval"\n[draw]\nname = "half"\nshare = 0.5\n'
    (tmp_path / "suite.toml").write_text(text.replace("[draw]", 'without = ["s2and"]\n[draw]'))
    whole = sh.tasks()["search"].expected_documents
    assert whole
    registry = load_registry([tmp_path])
    pair = registry.suite("half"), registry.task("search-half")
    spec = load_models()["tfidf"]
    model, nowhere = build_model(spec, EncodeOptions()), cast(TaskLoader, None)
    [plan] = plan_run([(spec, model)], [pair], nowhere, None, absent=["search-half"])
    assert plan.expected == round(whole / 2)


@pytest.mark.parametrize(
    ("count", "words"), [(4.2e9, "4.2 GB"), (42e9, "42 GB"), (3.4e8, "340 MB"), (12, "12 B")]
)
def test_sizes_in_words(count: float, words: str) -> None:
    assert cost.size(count) == words
