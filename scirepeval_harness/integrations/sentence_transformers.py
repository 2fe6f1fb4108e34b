"""An evaluator for the trainer of sentence-transformers."""

from __future__ import annotations

from typing import Any

from sentence_transformers.sentence_transformer.evaluation import SentenceEvaluator

from scirepeval_harness.integrations.monitor import MEAN, NANO, Monitor, undisturbed


class TrainingEvaluator(SentenceEvaluator):  # type: ignore[misc]
    """Scores of the model in training, for ``SentenceTransformerTrainer(evaluator=...)``.

    The trainer calls it as often as ``eval_steps`` says and logs the numbers; with
    ``metric_for_best_model=f"eval_{evaluator.primary_metric}"`` it keeps the best model. The folder
    that the trainer offers for files stays empty. The trainer's own evaluation draws from torch's
    generator before it calls any evaluator; `TrainingCallback`, which works with this trainer too,
    leaves even the dropout of later steps as it would have been.

    Args:
        suite: as for `Monitor`, like all others.
        name: stands in front of every key; None for the name of the suite.

    Example:
        >>> from scirepeval_harness.integrations import TrainingEvaluator
        >>> evaluator = TrainingEvaluator("sample", tasks="sample-search")
        >>> evaluator.primary_metric, evaluator.greater_is_better
        ('sample_mean', True)
    """

    def __init__(self, suite: Any = NANO, *, name: str | None = None, **what: Any) -> None:
        super().__init__()
        self.monitor = Monitor(suite, **what)
        self.name = self.monitor.name if name is None else name
        self.primary_metric = f"{self.name}_{MEAN}" if self.name else MEAN

    def __call__(
        self, model: Any, output_path: str | None = None, epoch: float = -1, steps: int = -1
    ) -> dict[str, float]:
        """The model's scores x 100 by ``NAME_KEY``; see `Monitor` for the keys."""
        with undisturbed(model):
            found = self.monitor(model, f"step-{steps}" if steps >= 0 else "last")
        metrics: dict[str, float] = self.prefix_name_to_metrics(found, self.name)
        self.store_metrics_in_model_card_data(model, metrics, epoch, steps)
        return metrics
