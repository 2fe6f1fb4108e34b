"""What a kind of evaluation is, what it takes and what it gives.

This module, and the module of every built-in kind, loads neither numpy nor pandas: a task file is
checked by its kind, and listing tasks must not wait for them. What computes therefore stands in
modules of its own (:mod:`.probe_scores`, :mod:`.scorers`, :mod:`.clustering`, :mod:`.items`), which
the kinds import where they score. A kind of another package may be one module with all in it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Protocol, TypeAlias, TypeVar

from scirepeval_harness.errors import UsageError
from scirepeval_harness.evaluations.metrics import bounds_of
from scirepeval_harness.extensions import EVALUATIONS
from scirepeval_harness.progress import SILENT, Progress
from scirepeval_harness.roles import Format, Role
from scirepeval_harness.schema import did_you_mean
from scirepeval_harness.task.dataset import Coverage, Document, EncodeRequest, Qrels

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

    from scirepeval_harness.model.base import Ranker
    from scirepeval_harness.options import Probe, VectorPrecision
    from scirepeval_harness.probes.fit import FitSamples
    from scirepeval_harness.task.audit import Finding, Share
    from scirepeval_harness.task.load import DataOptions
    from scirepeval_harness.task.sources import Source
    from scirepeval_harness.task.spec import Readings, TaskSpec

Data = TypeVar("Data")
Number: TypeAlias = "float | NDArray[np.float64]"
"""A score x 100, or its draws."""
NOT_RESAMPLED = "not_resampled"
"""Key of the notes: score keys that have neither interval nor test, each with the reason."""


class VectorTable(Protocol):
    """Vectors of a task by document id."""

    def take(self, ids: Sequence[str]) -> NDArray[np.float32]:
        """Rows (len(ids), dimensions) in the order given; CoverageError for an unknown id."""
        ...


class PairScorer(Protocol):
    """Scores of candidates for a query, higher is better, float64, in the order given."""

    def __call__(self, query: str, candidates: Sequence[str]) -> NDArray[np.float64]: ...


@dataclass(frozen=True, slots=True)
class Score:
    """One number of a task, x 100. ``setting`` is ``full`` or a few-shot setting (``64-shot``);
    ``field`` is a field of study where a task reports one number a field."""

    metric: str
    value: float
    setting: str = "full"
    field: str | None = None

    @property
    def key(self) -> str:
        """Printable, unique within a task: ``f1_macro``, ``f1_macro@64-shot``, ``map[Art]``."""
        shot = "" if self.setting == "full" else f"@{self.setting}"
        return f"{self.metric}{shot}" + (f"[{self.field}]" if self.field else "")


@dataclass(frozen=True)
class Outcome:
    """Scores of a task and the items from which each can be computed again.

    ``items`` by kind, one row an item:
    queries: field (str, empty where none), item (query id), metric, value in 0..1;
    classes: setting, iteration (int), item (row id), truth and prediction (lists of class indices);
    values: setting, iteration, item, truth (float), prediction (float);
    blocks: field (data set), item (block), metric, value, weight (signatures).
    ``notes`` is JSON-ready: chosen C, convergence warnings, classes, settings of the scorer.
    """

    scores: tuple[Score, ...]
    kind: str
    items: pd.DataFrame
    notes: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True)
class RankedPools:
    """What a task ranks: labels by field of study ("" where there are none), the candidates'
    documents (none where it ranks no documents), and labelled candidates without a document."""

    fields: Mapping[str, Qrels]
    candidates: Mapping[str, Document] = field(default_factory=dict)
    lost: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class ScoreOptions:
    """What scoring is told besides the task, its data and its vectors.

    ``width`` is the precision that the vectors are rounded to already. ``device`` is where the fast
    probe computes, None for one that it chooses; ``fit`` fits the probes, None for this process;
    ``progress`` takes lines and bars on how far long work is.
    """

    seed: int = 42
    probe: Probe = "exact"
    width: VectorPrecision = "float32"
    device: str | None = None
    fit: FitSamples | None = None
    progress: Progress = SILENT


class Evaluation(ABC, Generic[Data]):
    """One kind of evaluation: all that is known of it, in one object without state.

    ``Data`` is the record that :meth:`read` makes and the other methods take. To add a kind, write
    a module with such an object and announce it under ``scirepeval_harness.evaluations``
    (docs/extending.md).

    Example:
        >>> import scirepeval_harness as sh
        >>> [(method, callable(getattr(sh.Evaluation, method))) for method in ("read", "score")]
        [('read', True), ('score', True)]
    """

    name: ClassVar[str]
    """What a task file says under ``evaluation``."""
    formats: ClassVar[tuple[Format, ...]]
    """Formats of the tasks that it serves."""
    takes_rankers: ClassVar[bool] = False
    """Whether a model without vectors, which scores pairs of texts (BM25), can be evaluated."""
    takes_fields: ClassVar[bool] = False
    """Whether a task may name ``expected_fields``."""
    takes_draw: ClassVar[bool] = False
    """Whether :meth:`read` keeps to a task's ``draw``."""
    options: ClassVar[tuple[str, ...]] = ()
    """Keys that a task may have under ``[options]``."""
    settings: ClassVar[tuple[str, ...]] = ()
    """Settings of a run that move its scores, besides those that move every score."""

    def check(self, task: TaskSpec) -> None:
        """Whether a task file is consistent; its metrics are the business of each kind.

        Raises:
            ValueError: what does not fit, in the words of the file's author.
        """
        if task.format not in self.formats:
            supervised = (Format.CLASSIFICATION, Format.REGRESSION)
            alike = (task.format in supervised) == (self.formats[0] in supervised)
            if len(self.formats) == 1 and alike:
                raise ValueError(f"evaluation {self.name} needs format {self.formats[0]}")
            raise ValueError(f"evaluation {self.name} does not fit format {task.format}")
        if task.expected_fields and not self.takes_fields:
            raise ValueError("expected_fields needs evaluation citation_pools")
        if task.draw and not self.takes_draw:
            raise ValueError(f"evaluation {self.name} takes no draw; leave the task out")
        for key in task.options:
            if key not in self.options:
                fix = did_you_mean(key, self.options) if self.options else "it takes none"
                raise ValueError(f"options: {key!r} is no option of {self.name}; {fix}")

    def roles(self, task: TaskSpec) -> tuple[tuple[str, Role], ...]:
        """Who is encoded in which role, in the order of encoding: queries before candidates."""
        return (("documents", task.format.document_role()),)

    @abstractmethod
    def read(self, task: TaskSpec, source: Source, options: DataOptions) -> tuple[Data, Coverage]:
        """The task's data, and how much of what it needs was found.

        Raises:
            DataError, CoverageError: malformed or incomplete data, with file and line.
        """

    @abstractmethod
    def documents(self, data: Data) -> Mapping[str, Document]:
        """Every document of the data by id."""

    def pools(self, data: Data) -> RankedPools | None:
        """What is ranked for each query, for who looks at single queries; None where nothing is."""
        return None

    def class_names(self, data: Data) -> Sequence[str]:
        """Names of the classes by their index in the items; empty where they have none."""
        return ()

    def requests(self, task: TaskSpec, data: Data) -> tuple[EncodeRequest, ...]:
        """What is encoded in which role, queries first; all documents in one role by default."""
        documents = tuple(self.documents(data).values())
        return (EncodeRequest(task.format.document_role(), documents),)

    def part(self, data: Data, share: float) -> Data | None:
        """The data with a share of its items and what they need alone, whose values are the same as
        in the whole; None for a kind that needs nearly all whatever the share. A larger part holds
        every smaller one."""
        return None

    @abstractmethod
    def score(
        self, task: TaskSpec, data: Data, vectors: VectorTable, options: ScoreOptions
    ) -> Outcome:
        """Scores and items from vectors.

        Raises:
            HarnessError: data or vectors from which nothing can be scored.
        """

    def score_pairs(self, task: TaskSpec, data: Data, ranker: Ranker) -> Outcome:
        """Scores from a model that has no vectors and scores pairs of texts.

        Raises:
            UsageError: the kind needs vectors.
        """
        raise UsageError(
            "the task needs vectors, which this model does not have",
            where=f"task {task.name}, model {ranker.name}",
            fix="Choose ranking tasks with --task or --format",
        )

    @abstractmethod
    def fingerprint(self, data: Data) -> Iterator[tuple[object, ...]]:
        """The rows that make the data what it is, as plain values, in an order of their own.

        Their ``repr`` is hashed. What does not move a score (the order of documents) must not move
        it; what does (the order of training rows, which decides the folds) must.
        """

    def unready(self, task: TaskSpec, data: Path | None, *, named: bool) -> str | None:
        """Why a run leaves the task out on this machine; None where nothing stands in the way.

        Args:
            data: the folder that the user gave.
            named: whether the user asked for this very task, and would rather see it fail.
        """
        return None

    def audit(self, data: Data) -> tuple[Iterable[Finding], Iterable[Share]]:
        """What is odd about the data, and how labels are distributed, for ``tasks check``."""
        return (), ()

    def numbers(
        self, task: TaskSpec, scores: Mapping[str, Number], readings: Readings
    ) -> dict[str, Number | None]:
        """The numbers with which a task enters averages; None where one is missing."""
        return {metric: scores.get(metric) for metric in task.metrics}

    def bounds(self, metric: str) -> tuple[float, float]:
        """The ends of a metric's range, x 100; infinite where nothing is known of it."""
        return bounds_of(metric)

    def rescored(self, task: TaskSpec, outcome: Outcome) -> Mapping[str, float]:
        """The outcome's scores x 100 computed again from its items, by key; a key that is absent
        cannot be.

        Raises:
            HarnessError, LookupError, TypeError, ValueError: items that do not hold the scores.
        """
        from scirepeval_harness.evaluations.items import scores_of_items

        return scores_of_items(outcome, multi_label=task.multi_label)

    def item_keys(self, kind: str) -> tuple[tuple[str, ...], str | None]:
        """The columns that name an item, and the one that must agree too for it to be the same."""
        from scirepeval_harness.evaluations.items import ITEM_KINDS

        return ITEM_KINDS[kind].keys, ITEM_KINDS[kind].shared

    def draws(
        self, task: TaskSpec, outcome: Outcome, seed: int
    ) -> Mapping[str, NDArray[np.float64]]:
        """Resampled scores x 100 by score key; a key that is absent gets no interval."""
        from scirepeval_harness.evaluations.items import bootstrap

        return bootstrap(outcome, seed=seed, stream=task.name, multi_label=task.multi_label)

    def p_value(
        self, task: TaskSpec, a: Outcome, b: Outcome, score: Score, seed: int
    ) -> float | None:
        """The paired permutation test of two systems' items, which are the same in each row; None
        where there is none."""
        from scirepeval_harness.evaluations.items import paired_p

        return paired_p(a, b, score, seed=seed, multi_label=task.multi_label)


def evaluation_of(task: TaskSpec) -> Evaluation[Any]:
    """The kind of evaluation that a task names."""
    return EVALUATIONS.get(task.evaluation)


def requests_of(task: TaskSpec, data: Any) -> tuple[EncodeRequest, ...]:
    """The task's documents by role, queries first.

    A paper that is both query and candidate is asked for once, on the query side: the published
    code embeds queries first and never replaces a vector (docs/protocol.md).
    """
    return evaluation_of(task).requests(task, data)


def document_rows(documents: Mapping[str, Document]) -> Iterator[tuple[object, ...]]:
    """Documents for a fingerprint: by id, whatever their order."""
    return ((key, documents[key].parts) for key in sorted(documents))


def qrels_rows(qrels: Qrels) -> Iterator[tuple[object, ...]]:
    """Labels for a fingerprint: by query and candidate, whatever their order."""
    return ((query, sorted(qrels[query].items())) for query in sorted(qrels))


def mean_or_none(values: Sequence[Number | None]) -> Number | None:
    """The mean, or None when a value is missing."""
    present = [value for value in values if value is not None]
    if not present or len(present) < len(values):
        return None
    return sum(present[1:], present[0]) / len(present)


def not_resampled(scores: Iterable[Score], reason: Callable[[str], str | None]) -> dict[str, Any]:
    """The note on scores without interval and test; empty where there are none."""
    reasons = {score.key: why for score in scores if (why := reason(score.metric))}
    return {NOT_RESAMPLED: reasons} if reasons else {}
