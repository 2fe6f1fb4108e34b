"""Scores while training: they come, and the training does not notice."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import scirepeval_harness as sh
from scirepeval_harness.integrations import Monitor
from scirepeval_harness.integrations.monitor import undisturbed

TASKS = ["sample-search", "sample-year"]
STEPS, LIMIT = 4, 30
PAIRS = [(f"paper about topic {n}", f"topic {n} in depth") for n in range(16)]


def losses(trainer: Any) -> list[float]:
    return [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]


def logged(trainer: Any, key: str) -> dict[int, float]:
    return {entry["step"]: entry[key] for entry in trainer.state.log_history if key in entry}


def same_weights(a: Any, b: Any) -> bool:
    pairs = zip(a.state_dict().values(), b.state_dict().values(), strict=True)
    return all(torch.equal(one, other) for one, other in pairs)


@pytest.fixture
def sentence_trainer(tmp_path: Path) -> Callable[..., Any]:
    library = pytest.importorskip("sentence_transformers")
    pytest.importorskip("accelerate")
    from datasets import Dataset
    from sentence_transformers.sentence_transformer import losses as of_library

    from tests.support.tiny_modules import save_modules

    folder = save_modules(tmp_path / "model", kind="plain")

    def make(evaluator: Any = None) -> Any:
        model = library.SentenceTransformer(str(folder), device="cpu")
        steps = "no" if evaluator is None else "steps"
        arguments = library.SentenceTransformerTrainingArguments(
            output_dir=str(tmp_path / "trained"), max_steps=STEPS, logging_steps=1, seed=7,
            per_device_train_batch_size=4, eval_strategy=steps, eval_steps=2, report_to="none",
            save_strategy="no", use_cpu=True, disable_tqdm=True, learning_rate=1e-3,
        )  # fmt: skip
        data = Dataset.from_dict(
            {"anchor": [a for a, _ in PAIRS], "positive": [b for _, b in PAIRS]}
        )
        return library.SentenceTransformerTrainer(
            model=model, args=arguments, train_dataset=data, evaluator=evaluator,
            loss=of_library.MultipleNegativesRankingLoss(model),
        )  # fmt: skip

    return make


@pytest.fixture
def plain_trainer(tmp_path: Path) -> Callable[[], Any]:
    pytest.importorskip("accelerate")
    from datasets import Dataset
    from transformers import AutoModelForMaskedLM, AutoTokenizer, Trainer, TrainingArguments
    from transformers import DataCollatorForLanguageModeling as Collator

    from tests.support.tiny_models import save_base

    folder = save_base(tmp_path / "base", positions=64)

    def make() -> Any:
        torch.manual_seed(3)
        model = AutoModelForMaskedLM.from_pretrained(folder)
        tokenizer = AutoTokenizer.from_pretrained(folder)
        arguments = TrainingArguments(
            output_dir=str(tmp_path / "trained"), max_steps=STEPS, logging_steps=1, seed=7,
            per_device_train_batch_size=4, report_to="none", save_strategy="no", use_cpu=True,
            disable_tqdm=True, learning_rate=1e-3,
        )  # fmt: skip
        rows = [tokenizer(one, truncation=True, max_length=16) for one, _ in PAIRS]
        data = Dataset.from_list([{"input_ids": row["input_ids"]} for row in rows])
        # Masks are drawn from torch's generator: a draw more would change every later loss.
        return Trainer(
            model=model, args=arguments, train_dataset=data, processing_class=tokenizer,
            data_collator=Collator(tokenizer, mlm_probability=0.3),
        )  # fmt: skip

    return make


@pytest.mark.slow
def test_the_evaluator_scores_and_the_loss_curve_stays(
    sentence_trainer: Callable[..., Any], tmp_path: Path
) -> None:
    from scirepeval_harness.integrations import TrainingEvaluator

    class Silent(TrainingEvaluator):
        """The trainer's own evaluation draws a random number, whatever the evaluator does."""

        def __call__(self, model: Any, *rest: Any, **named: Any) -> dict[str, float]:
            return {self.primary_metric: 0.0}

    alone = sentence_trainer(Silent("sample", tasks=TASKS))
    alone.train()
    evaluator = TrainingEvaluator("sample", tasks=TASKS, limit=LIMIT)
    watched = sentence_trainer(evaluator)
    watched.train()
    assert len(losses(alone)) == STEPS
    assert losses(watched) == losses(alone)
    assert same_weights(watched.model, alone.model)
    means = logged(watched, f"eval_{evaluator.primary_metric}")
    assert list(means) == [2, 4]
    assert all(0 <= value <= 100 for value in means.values())
    # What is logged is what an evaluation of the same model gives.
    now = sh.evaluate(watched.model, suite="sample", tasks="sample-search", cache=None, limit=LIMIT)
    [result] = now.values()
    assert logged(watched, "eval_sample_sample_search_ndcg")[4] == result.scores["value"].item()
    assert not list((tmp_path / "trained").rglob("*.json"))


@pytest.mark.slow
def test_the_callback_scores_and_the_loss_curve_stays(
    plain_trainer: Callable[[], Any], tmp_path: Path
) -> None:
    from scirepeval_harness.integrations import TrainingCallback

    alone = plain_trainer()
    alone.train()
    watched = plain_trainer()
    output = tmp_path / "scores"
    callback = TrainingCallback(
        watched, "sample", every=3, tasks=TASKS, output=output, limit=LIMIT, max_length=16
    )
    watched.add_callback(callback)
    watched.train()
    assert len(losses(alone)) == STEPS
    assert losses(watched) == losses(alone)
    assert same_weights(watched.model, alone.model)
    means = logged(watched, "eval_sample_mean")
    assert list(means) == [3, 4]
    [result] = sh.load_results(output / "step-4").values()
    by_task = {row.task: row.value for row in result.scores.itertuples()}
    assert means[4] == pytest.approx(sum(by_task.values()) / 2)
    assert logged(watched, "eval_sample_sample_year_kendalltau")[4] == by_task["sample-year"]


@pytest.mark.slow
def test_the_callback_leaves_a_sentence_transformer_as_it_is(
    sentence_trainer: Callable[..., Any],
) -> None:
    from scirepeval_harness.integrations import TrainingCallback

    alone = sentence_trainer()
    alone.train()
    watched = sentence_trainer()  # after it: a trainer sets the seed where it is made
    watched.add_callback(
        TrainingCallback(watched, "sample", every=2, tasks="sample-search", limit=LIMIT)
    )
    watched.train()
    assert list(logged(watched, "eval_sample_mean")) == [2, 4]
    assert losses(watched) == losses(alone)
    assert same_weights(watched.model, alone.model)


def test_nothing_of_the_training_is_moved() -> None:
    model = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.Dropout(), torch.nn.BatchNorm1d(2))
    model.train()
    model[1].eval()
    model(torch.ones(3, 2)).sum().backward()
    before = {name: one.grad.clone() for name, one in model.named_parameters()}
    statistics = model[2].running_mean.clone()

    def draws() -> tuple[Any, ...]:
        return random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist()

    states = draws()

    def scored() -> None:
        with undisturbed(model):
            assert not any(module.training for module in model.modules())
            assert not model(torch.ones(3, 2)).requires_grad
            random.random(), np.random.rand(), torch.rand(1)
            torch.manual_seed(0)
            raise RuntimeError("in the middle")

    with pytest.raises(RuntimeError, match="in the middle"):
        scored()
    assert draws() == states
    assert [module.training for module in model.modules()] == [True, True, False, True]
    assert all(torch.equal(one.grad, before[name]) for name, one in model.named_parameters())
    assert torch.equal(model[2].running_mean, statistics)
    assert torch.is_grad_enabled()


def test_data_is_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    from scirepeval_harness.run import loading

    read: list[str] = []
    of_package = loading.load_task

    def counted(task: Any, *rest: Any) -> Any:
        read.append(task.name)
        return of_package(task, *rest)

    monkeypatch.setattr(loading, "load_task", counted)
    monitor = Monitor("sample", tasks="sample-search")
    first, second = (monitor(lambda texts: [[len(t), t.count("e")] for t in texts]) for _ in "ab")
    assert first == second
    assert read == ["sample-search"]


def test_a_model_of_nan_is_no_end_of_a_training() -> None:
    monitor = Monitor("sample", tasks="sample-search")
    with pytest.warns(UserWarning, match="sample-search has no score"):
        found = monitor(lambda texts: [[math.nan] for _ in texts])
    assert list(found) == ["mean"]
    assert math.isnan(found["mean"])


def test_a_whole_suite_has_its_columns_and_every_key_is_plain(tmp_path: Path) -> None:
    (tmp_path / "suite.toml").write_text(
        'name = "s"\ntitle = "S"\nof = "sample"\nwithout = ["sample-fields", "sample-topics", '
        '"sample-nature", "sample-citations", "sample-year"]\n[draw]\nshare = 0.2\n'
    )
    monitor = Monitor("s", tasks_dirs=[tmp_path])
    dice = np.random.default_rng(1)
    found = monitor(lambda texts: dice.normal(size=(len(texts), 4)))
    assert {"mean", "average_nano", "in_train_nano", "sample_cite_nano_map"} <= found.keys()
    assert not [key for key in found if not key.replace("_", "").isalnum()]


def test_a_misspelt_name_is_known_before_the_training() -> None:
    with pytest.raises(sh.HarnessError, match="unknown suite"):
        Monitor("scirepeval-nona")
