"""Scores as the evaluation results of a Hugging Face model card."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from huggingface_hub import EvalResult, ModelCard, ModelCardData
from yaml import YAMLError

from scirepeval_harness.errors import StorageError, UsageError
from scirepeval_harness.files import write_text
from scirepeval_harness.reporting.table import shown
from scirepeval_harness.results.folder import Result
from scirepeval_harness.results.leaderboard import Row
from scirepeval_harness.results.record import TaskRecord, shortfall
from scirepeval_harness.task.spec import SuiteSpec, TaskSpec

DIGITS = 4
SYNTHETIC = " [synthetic data]"


def add_to_model_card(
    path: Path,
    result: Result,
    row: Row,
    suites: Sequence[SuiteSpec],
    tasks: Mapping[str, TaskSpec],
) -> int:
    """Add the averages and the scores of every task to the metadata of a card; make the card where
    there is none. Results of the same data and metric are replaced, all others kept.

    Left out are tasks that failed, were limited, or miss documents, and averages that miss numbers:
    a card shows no coverage beside a score.

    Args:
        row: the result's leaderboard row.
        tasks: all registered tasks, by name.

    Returns:
        How many results were added or replaced.

    Raises:
        UsageError: no whole score to add, or metadata that cannot be read.
        StorageError: a file that cannot be read or written.
    """
    new = [*_averages(result, row, suites), *_task_results(result, suites, tasks)]
    if not new:
        raise UsageError(
            "no whole score to add to a model card",
            where=str(result.folder),
            fix="Run without --limit and on all documents",
        )
    card = _read(path, result)
    data: ModelCardData = card.data  # type: ignore[assignment]
    # Others' entries, and ours of other data, stay; a second run of the same gives no second entry.
    replaced = set(map(_key, new))
    data.eval_results = [*(e for e in data.eval_results or [] if _key(e) not in replaced), *new]
    data.model_name = data.model_name or shown(result.run.model.title)
    write_text(path, str(card))
    return len(new)


def _read(path: Path, result: Result) -> ModelCard:
    try:
        if path.is_file():
            card: ModelCard = ModelCard.load(path)
            return card
    except OSError as error:
        raise StorageError(
            f"cannot be read ({error.strerror or error})", where=str(path), fix="Check --model-card"
        ) from error
    except (ValueError, YAMLError) as error:
        raise UsageError(
            f"not the metadata of a model card ({error})", where=str(path), fix="Mend its head"
        ) from error
    if path.exists():
        raise UsageError("not a file", where=str(path), fix="Give the path of a README.md")
    return ModelCard(f"---\n{{}}\n---\n\n# {shown(result.run.model.title)}\n")


def _key(entry: EvalResult) -> tuple[object, ...]:
    # Hub's own identifier is of task and data only: one data set has a result a metric.
    return (*entry.unique_identifier, entry.metric_type, entry.metric_name)


def _averages(result: Result, row: Row, suites: Sequence[SuiteSpec]) -> Iterator[EvalResult]:
    for suite in suites:
        done = [result.tasks[name] for name in suite.task_names() if name in result.tasks]
        if not all(_whole(record) for record in done if record.status == "ok"):
            continue
        for column in suite.columns:
            mean = row.means[column.name]
            # A mean of what is there would stand on the card as if it were the average.
            if mean.value is None or mean.partial:
                continue
            yield EvalResult(
                task_type="feature-extraction",
                task_name=shown(suite.title),
                dataset_type=suite.name,
                dataset_name=shown(suite.title) + (SYNTHETIC if suite.synthetic else ""),
                metric_type="mean",
                metric_name=shown(column.name),
                metric_value=round(mean.value, DIGITS),
                metric_args=_interval(mean.interval) or None,
            )


def _task_results(
    result: Result, suites: Sequence[SuiteSpec], tasks: Mapping[str, TaskSpec]
) -> Iterator[EvalResult]:
    for suite in suites:
        for name in suite.task_names():
            record = result.tasks.get(name)
            if record is None or not _whole(record):
                continue
            hub = tasks[name].hub
            table = hub.labels if hub is not None else None
            synthetic = record.data is not None and record.data.synthetic
            for score in record.scores:
                if score.field is None:
                    yield EvalResult(
                        task_type=record.format.value.replace("_", "-"),
                        task_name=shown(record.title),
                        dataset_type=suite.name if table is None else table.repo,
                        dataset_config=name if table is None else table.config,
                        dataset_name=shown(record.title) + (SYNTHETIC if synthetic else ""),
                        dataset_split="test",
                        dataset_revision=record.data.revision if record.data else None,
                        metric_type=score.metric,
                        metric_name=score.key,
                        metric_value=round(score.value, DIGITS),
                        metric_args={**_interval(score.interval), "items": score.items},
                    )


def _whole(record: TaskRecord) -> bool:
    """Whether the record's scores may stand without a word on coverage."""
    return record.status == "ok" and not shortfall(record) and not record.settings.get("limit")


def _interval(interval: tuple[float, float] | None) -> dict[str, list[float]]:
    if interval is None:
        return {}
    return {"interval_95": [round(end, DIGITS) for end in interval]}
