"""Classification and regression: labels by train and test split, learned by a linear probe."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from threading import Lock
from typing import TYPE_CHECKING, Any

from scirepeval_harness.errors import DataError
from scirepeval_harness.evaluations import base
from scirepeval_harness.evaluations.metrics import check_metrics
from scirepeval_harness.files import parse_json
from scirepeval_harness.progress import Advance
from scirepeval_harness.roles import Format
from scirepeval_harness.schema import shown
from scirepeval_harness.task.audit import Finding, Share, finding, same_text
from scirepeval_harness.task.dataset import Coverage, Document
from scirepeval_harness.task.draw import drawn_splits
from scirepeval_harness.task.tables import (
    Table,
    as_number,
    as_text,
    check_coverage,
    is_list,
    read_flat,
    sample_rows,
)

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from scirepeval_harness.probes.fit import ProbeJob
    from scirepeval_harness.probes.problem import ProbeFit
    from scirepeval_harness.task.load import DataOptions
    from scirepeval_harness.task.sources import Source
    from scirepeval_harness.task.spec import Readings, TaskSpec

    Labels = NDArray[np.generic]

# What the reference's reader of CSV files, pandas, takes for a missing value, and any case of nan.
MISSING = ("#N/A", "#NA", "<NA>", "N/A", "NA", "NULL", "None", "n/a", "null")


@dataclass(frozen=True)
class LabelledSet:
    """A supervised task.

    Labels are an integer array of class indices (n,), a 0/1 matrix (n, classes) for multi-label
    tasks, or a float array (n,) for regression. ``classes`` holds the original label of each index;
    ``positive`` is the index of the class that ``f1`` is of.
    """

    documents: Mapping[str, Document]
    train_ids: tuple[str, ...]
    train_labels: Labels
    test_ids: tuple[str, ...]
    test_labels: Labels
    classes: tuple[str, ...] = ()
    positive: int = 1


class ProbeEvaluation(base.Evaluation[LabelledSet]):
    """A probe fitted on the train rows and scored on the test rows (protocol section 3)."""

    name = "probe"
    formats = (Format.CLASSIFICATION, Format.REGRESSION)
    settings = ("probe",)
    takes_draw = True

    def check(self, task: TaskSpec) -> None:
        super().check(task)
        check_metrics(task, "numbers" if task.format is Format.REGRESSION else "labels")

    def read(
        self, task: TaskSpec, source: Source, options: DataOptions
    ) -> tuple[LabelledSet, Coverage]:
        return read_labelled(
            task,
            source.documents(),
            source.labels("train"),
            source.labels("test"),
            limit=options.limit,
            seed=options.seed,
            allow_missing=options.allow_missing,
        )

    def documents(self, data: LabelledSet) -> Mapping[str, Document]:
        return data.documents

    def class_names(self, data: LabelledSet) -> Sequence[str]:
        # Items name the class that f1 is of by 1, whatever its rank.
        return data.classes if data.positive else data.classes[::-1]

    def score(
        self,
        task: TaskSpec,
        data: LabelledSet,
        vectors: base.VectorTable,
        options: base.ScoreOptions,
    ) -> base.Outcome:
        from scirepeval_harness.evaluations.probe_scores import evaluate_probe
        from scirepeval_harness.model.devices import choose_devices
        from scirepeval_harness.probes.fit import fit_samples, prepare

        # A cluster chooses its devices itself; this machine may have none of them.
        own = options.probe == "fast" and options.fit is None
        if options.probe == "exact" and options.fit is None:
            prepare(options.progress.say)
        fit = options.fit or fit_samples

        def counted(job: ProbeJob) -> Iterator[ProbeFit]:
            # Apart: a fit of few rows takes a hundredth of the time, and tells nothing of the rest.
            phase = "probe" if len(job.samples) == 1 else "few-shot"
            with options.progress.bar(task.name, job.fits, "fit", phase) as advance:
                count = FitCount(advance)
                for fitted in fit(replace(job, done=count.done)):
                    count.whole(fitted.fits)
                    yield fitted

        return evaluate_probe(
            task,
            data,
            vectors,
            probe=options.probe,
            seed=options.seed,
            device=choose_devices(options.device)[0] if own else None,
            fit=counted,
        )

    def fingerprint(self, data: LabelledSet) -> Iterator[tuple[object, ...]]:
        yield from base.document_rows(data.documents)
        yield data.classes, data.train_ids, data.test_ids
        yield data.train_labels.tolist(), data.test_labels.tolist()

    def audit(self, data: LabelledSet) -> tuple[Iterable[Finding], Iterable[Share]]:
        return _leaks(data), _label_shares(data)

    def numbers(
        self, task: TaskSpec, scores: Mapping[str, base.Number], readings: Readings
    ) -> dict[str, base.Number | None]:
        """One number a metric, over its full and few-shot scores (docs/protocol.md)."""
        found: dict[str, base.Number | None] = {}
        for metric in task.metrics:
            full = scores.get(metric)
            shots = [scores.get(f"{metric}@{shot.setting}") for shot in task.few_shot]
            if readings.few_shot == "full_and_mean_of_few_shot" and shots:
                shots = [base.mean_or_none(shots)]
            found[metric] = base.mean_or_none([full, *shots])
        return found


EVALUATION = ProbeEvaluation()


class FitCount:
    """Counts fits as they are done: one by one where the probe tells them, and sample by sample."""

    def __init__(self, advance: Advance) -> None:
        self._advance, self._lock = advance, Lock()
        self._told = self._samples = 0.0
        self._shown = 0

    def done(self, fits: float) -> None:
        """So many more fits within a sample; from any thread."""
        with self._lock:
            self._told += fits
            self._show()

    def whole(self, fits: int) -> None:
        """A sample is done, with all its fits, whether they were told or not."""
        with self._lock:
            self._samples += fits
            self._show()

    def _show(self) -> None:
        # Sums of parts: 2.9999999 fits are 3.
        count = int(max(self._told, self._samples) + 1e-6)
        if count > self._shown:
            self._advance(count - self._shown)
            self._shown = count


def read_labelled(
    task: TaskSpec,
    documents: Table,
    train: Table,
    test: Table,
    *,
    limit: int | None,
    seed: int,
    allow_missing: bool,
) -> tuple[LabelledSet, Coverage]:
    """A classification or regression task; rows keep their order, which decides the folds.

    Raises:
        DataError: a label outside the task's kind, an empty split, labels from which nothing can be
            learned or measured, documents that are all without text.
        CoverageError: a label without a document.
    """
    splits = [_rows(task, table) for table in (train, test)]
    if task.draw is not None:
        splits = [
            ([keys[row] for row in rows], [labels[row] for row in rows])
            for (keys, labels), rows in zip(splits, drawn_splits(task, splits), strict=True)
        ]
    values, classes = _encode(task, [labels for _, labels in splits])
    _check_splits(values, classes, (train.name, test.name))
    ids = [list(keys) for keys, _ in splits]
    if limit is not None:
        for place in (0, 1):
            kept = sample_rows(values[place], limit, seed, stratified=bool(classes))
            ids[place] = [ids[place][row] for row in kept]
            values[place] = values[place][kept]
    needed = [*ids[0], *ids[1]]
    found = read_flat(documents, task.fields, frozenset(needed))
    coverage = check_coverage(task.name, found.documents, found.empty, needed, allow_missing)
    for place in (0, 1):
        rows = [row for row, key in enumerate(ids[place]) if key in found.documents]
        ids[place] = [ids[place][row] for row in rows]
        values[place] = values[place][rows]
    # scikit-learn's f1 is that of the label 1, whatever its rank; of other names the later one's.
    first = "f1" in task.metrics and as_number(classes[0]) == 1
    data = LabelledSet(found.documents, tuple(ids[0]), values[0], tuple(ids[1]), values[1], classes)
    return replace(data, positive=int(not first)), coverage


def _rows(task: TaskSpec, table: Table) -> tuple[list[str], list[Any]]:
    keys, labels = [], []
    for number, row in table.rows():
        keys.append(table.id(number, row, "paper_id", "doc_id"))
        labels.append(_label(task, table.value(number, row, "label"), table.where(number)))
    if not keys:
        raise DataError("no rows", where=table.name, fix="Both splits need labels")
    return keys, labels


def _label(task: TaskSpec, value: Any, where: str) -> Any:
    """A label in the task's kind: float, tuple of 0/1, or class name."""
    if task.format is Format.REGRESSION:
        number = as_number(value)
        if number is None:
            raise DataError(f"label is {shown(value)}", where=where, fix="Give a finite number")
        return number
    if task.multi_label:
        listed = _parse_list(value)
        if not is_list(listed) or not all(v in (0, 1) and type(v) is not bool for v in listed):
            raise DataError(f"label is {shown(value)}", where=where, fix="Give a list of 0 and 1")
        return tuple(int(v) for v in listed)
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if not isinstance(value, (str, int)) or not str(value).strip():
        raise DataError(f"label is {shown(value)}", where=where, fix="Give one class a row")
    if str(value).strip() in MISSING or str(value).strip().casefold() in ("nan", "-nan"):
        raise DataError(
            f"label is {value!r}, which stands for a missing one",
            where=where,
            fix="Give the class another name, or leave the row out",
        )
    return as_text(str(value), "label", where)


def _parse_list(value: Any) -> Any:
    if isinstance(value, str):
        try:
            return parse_json(value)
        except ValueError:
            return None
    return value


def _encode(
    task: TaskSpec, splits: Sequence[Sequence[Any]]
) -> tuple[list[Labels], tuple[str, ...]]:
    import numpy as np

    if task.format is Format.REGRESSION:
        return [np.array(labels, dtype=np.float64) for labels in splits], ()
    if task.multi_label:
        widths = {len(label) for labels in splits for label in labels}
        if len(widths) != 1:
            raise DataError(
                f"label lists of lengths {', '.join(map(str, sorted(widths)))}",
                where=f"task {task.name}",
                fix="Give every row one entry a class",
            )
        classes = tuple(str(number) for number in range(widths.pop()))
        return [np.array(labels, dtype=np.int64) for labels in splits], classes
    names = sorted({label for labels in splits for label in labels}, key=_class_order)
    spelled: dict[float | str, str] = {}
    for name in names:
        other = spelled.setdefault(_spelling(name), name)
        if other != name:
            raise DataError(
                f"the classes {other!r} and {name!r} differ in spelling alone",
                where=f"task {task.name}",
                fix="Spell a class the same in every row",
            )
    index = {name: number for number, name in enumerate(names)}
    if "f1" in task.metrics and len(names) != 2:
        raise DataError(
            f"{len(names)} classes, where f1 needs two",
            where=f"task {task.name}",
            fix="Use f1_macro, or check the labels",
        )
    arrays: list[Labels] = [
        np.array([index[label] for label in labels], dtype=np.int64) for labels in splits
    ]
    return arrays, tuple(names)


def _check_splits(
    splits: Sequence[Labels], classes: tuple[str, ...], names: tuple[str, str]
) -> None:
    """That the test split can show what was learned on the training split."""
    if classes:
        seen = [class_counts(labels, len(classes)) > 0 for labels in splits]
        if not (seen[0] & seen[1]).any():
            raise DataError(
                f"no class in common with {names[0]}",
                where=names[1],
                fix="Check that both splits spell their classes alike",
            )
        return
    for labels, name in zip(splits, names, strict=True):
        if (labels == labels[0]).all():
            raise DataError(
                f"every label is {labels[0]}", where=name, fix="A regression needs different values"
            )


def _class_order(name: str) -> tuple[int, float, str]:
    number = as_number(name)
    return (1, 0.0, name) if number is None else (0, number, name)


def _spelling(name: str) -> float | str:
    """What two spellings of one class have in common: case and white space aside, or the number."""
    number = as_number(name)
    return " ".join(name.casefold().split()) if number is None else number


def _leaks(data: LabelledSet) -> Iterator[Finding]:
    train, test = data.train_ids, data.test_ids
    known = set(train)
    yield finding(
        "test documents that are also in train", (k for k in test if k in known), len(test)
    )
    for name, ids in (("train", train), ("test", test)):
        copies = [key for key, count in Counter(ids).items() if count > 1]
        yield finding(f"documents labelled twice in {name}", copies, len(ids))
    seen = {same_text(data.documents[key]) for key in train}
    leaked = [k for k in test if k not in known and same_text(data.documents[k]) in seen]
    yield finding("test texts that are also in train", leaked, len(test))
    if data.classes:
        for name, labels in (("train", data.train_labels), ("test", data.test_labels)):
            present = class_counts(labels, len(data.classes)) > 0
            absent = [c for c, there in zip(data.classes, present, strict=True) if not there]
            yield finding(f"classes without a row in {name}", absent, len(data.classes))


def _label_shares(data: LabelledSet) -> Iterator[Share]:
    import numpy as np

    splits = {"train": data.train_labels, "test": data.test_labels}
    if data.classes:
        counts = {name: class_counts(labels, len(data.classes)) for name, labels in splits.items()}
        for number, name in enumerate(data.classes):
            yield Share(name, {split: int(values[number]) for split, values in counts.items()})
        return
    for share in (0, 25, 50, 75, 100):
        yield Share(
            f"{share}th percentile",
            {
                name: float(np.percentile(labels.astype(np.float64), share))
                for name, labels in splits.items()
            },
        )


def class_counts(labels: Labels, classes: int) -> NDArray[np.int64]:
    """How many rows each class has (classes,), from class indices or a 0/1 matrix."""
    import numpy as np

    if labels.ndim == 2:
        return np.asarray(labels.astype(np.int64).sum(axis=0))
    return np.bincount(labels.astype(np.int64), minlength=classes)
