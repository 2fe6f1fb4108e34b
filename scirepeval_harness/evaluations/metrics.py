"""What a metric is, the registry of metrics, and the probes' built-in ones.

A metric of one's own is one decorated function, in a script or in a package that announces it under
``scirepeval_harness.metrics``. Nothing else is to be written: its interval and its paired test
follow from the function itself (:mod:`.items`). numpy loads inside the functions, since task files
are checked against this module when tasks are listed.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from scirepeval_harness.errors import ProbeError, SpecError
from scirepeval_harness.extensions import METRICS
from scirepeval_harness.schema import near

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from scirepeval_harness.task.spec import TaskSpec

    Labels = NDArray[np.generic]

Of = Literal["labels", "numbers", "ranking"]
# A name becomes a key such as ``name@64-shot`` or ``name[Art]``, and must not look like one.
NAME = r"[A-Za-z][A-Za-z0-9_.-]*"
# trec_eval's measures, which need no function.
RANKING_METRIC = r"^(map|ndcg|ndcg_cut_[1-9]\d*|recip_rank|recall_[1-9]\d*|P_[1-9]\d*)$"
RANKING_WORDS = ("map", "ndcg", "ndcg_cut_K", "recip_rank", "recall_K", "P_K")
# How far rounding may carry a value over its bounds.
SLACK = 1e-9


@dataclass(frozen=True)
class Metric:
    """A function that gives one number, higher is better, and how it may be used.

    ``of`` says what it takes:
    labels: true and predicted classes, index arrays (n,), or 0/1 matrices (n, classes) where
    ``multi_label`` says that it can;
    numbers: true and predicted values, float arrays (n,);
    ranking: the grades (candidates,) of one query in ranked order, best first, 0 for not relevant;
    the task's score is the mean over queries.

    ``bounds`` hold the function's values, which are reported x 100. ``resampled`` is False for a
    function that must not be computed on resampled rows: its scores have neither interval nor
    test, and say so. ``undefined`` is its value on a resample where it raises or is not finite.
    """

    name: str
    function: Callable[..., float]
    of: Of
    bounds: tuple[float, float] = (0.0, 1.0)
    multi_label: bool = False
    resampled: bool = True
    undefined: float = 0.0

    def __call__(self, *given: Any) -> float:
        """The function's own value, unchecked."""
        return self.function(*given)

    def value(self, *given: Any) -> float:
        """The value of a score.

        Raises:
            ProbeError: the function fails, or its value is beyond ``bounds``.
        """
        try:
            found = float(self.function(*given))
        except (ArithmeticError, LookupError, TypeError, ValueError) as error:
            raise ProbeError(
                f"the metric {self.name} fails ({error})", fix="Mend it, or use another"
            ) from error
        # Written so that NaN fails too.
        if not self.bounds[0] - SLACK <= found <= self.bounds[1] + SLACK:
            raise ProbeError(
                f"the metric {self.name} gives {found}, its bounds are {self.bounds}",
                fix="Return a fraction, not a percentage, or declare other bounds",
            )
        return found

    def on_resample(self, *given: Any) -> float:
        """The value on drawn or exchanged rows, ``undefined`` where there is none."""
        try:
            return self.value(*given)
        except ProbeError:
            return self.undefined


def metric(
    name: str,
    *,
    of: Of,
    bounds: tuple[float, float] = (0.0, 1.0),
    multi_label: bool = False,
    resampled: bool = True,
    undefined: float = 0.0,
) -> Callable[[Callable[..., float]], Metric]:
    """Make a function a metric that task files can name; see :class:`Metric`.

    Raises:
        SpecError: a name that is taken, or that cannot stand in a score's key.

    Example:
        >>> import scirepeval_harness as sh
        >>> @sh.metric("example_error_rate", of="labels", multi_label=True)
        ... def error_rate(truth, prediction):
        ...     return float((truth != prediction).mean())
        >>> error_rate.name, error_rate.resampled
        ('example_error_rate', True)
    """

    def register(function: Callable[..., float]) -> Metric:
        where = f"module {function.__module__}"
        if not re.fullmatch(NAME, name) or re.fullmatch(RANKING_METRIC, name):
            raise SpecError(
                f"a metric cannot be called {name!r}",
                where=where,
                fix="Use letters, digits, '_', '.' and '-', and no measure of trec_eval",
            )
        made = Metric(name, function, of, bounds, multi_label, resampled, undefined)
        METRICS.add(name, made, where)
        return made

    return register


def check_metrics(task: TaskSpec, of: Of) -> None:
    """That a task's metrics are known and take what its evaluation gives them.

    Raises:
        ValueError: the first that does not fit, and what does.
    """
    for name in task.metrics:
        if of == "ranking" and re.fullmatch(RANKING_METRIC, name):
            continue
        if name not in METRICS or not _fits(name, task, of):
            words = RANKING_WORDS if of == "ranking" else ()
            allowed = [*words, *(known for known in METRICS.names() if _fits(known, task, of))]
            raise unfit(task, name, allowed)


def unfit(task: TaskSpec, metric: str, allowed: Sequence[str]) -> ValueError:
    """The error of a metric that is not among those that a task may have."""
    guesses = near(metric, allowed)
    return ValueError(
        f"metrics: {metric!r} does not fit format {task.format} with evaluation "
        f"{task.evaluation}, which takes {', '.join(allowed)}"
        + (f"; did you mean {guesses[0]}?" if guesses else "")
    )


def _fits(name: str, task: TaskSpec, of: Of) -> bool:
    found = METRICS.get(name)
    return found.of == of and (found.multi_label or not task.multi_label)


def bounds_of(name: str) -> tuple[float, float]:
    """The ends of a metric's range, x 100; infinite for a name that is not known here."""
    if re.fullmatch(RANKING_METRIC, name):
        return 0.0, 100.0
    if name not in METRICS:
        return -math.inf, math.inf
    low, high = METRICS.get(name).bounds
    return 100.0 * low, 100.0 * high


def why_not_resampled(name: str) -> str | None:
    """Why a metric has no interval and no test; None where it has."""
    if name not in METRICS or METRICS.get(name).resampled:
        return None
    return f"the metric {name} is declared as one that is not resampled"


def f1(truth: Labels, prediction: Labels) -> float:
    """F1 of class index 1 in a two-class task; 0 when it is neither present nor predicted.

    scikit-learn's ``f1_score`` with zero_division 0, as is :func:`f1_macro`.
    """
    import numpy as np

    found = {int(label) for label in np.union1d(truth, prediction)}
    if truth.ndim != 1 or not found <= {0, 1}:
        raise ProbeError(
            "f1 is defined for two classes, with index 1 the positive one",
            fix="Use the metric f1_macro for more than two classes or several labels a row",
        )
    return float(_f1_of_columns(truth == 1, prediction == 1))


def f1_macro(truth: Labels, prediction: Labels) -> float:
    """Unweighted mean of the classes' F1.

    With one label a row the classes are those in the truth or the predictions; with a 0/1 matrix
    every column counts, and a column without positives on either side gives 0.
    """
    import numpy as np

    if truth.ndim == 2:
        return float(_f1_of_columns(truth != 0, prediction != 0).mean())
    classes, codes = np.unique(np.concatenate([truth, prediction]), return_inverse=True)
    true_codes, predicted_codes = codes[: len(truth)], codes[len(truth) :]
    hits = np.bincount(true_codes[true_codes == predicted_codes], minlength=len(classes))
    sizes = np.bincount(true_codes, minlength=len(classes)) + np.bincount(
        predicted_codes, minlength=len(classes)
    )
    return float((2.0 * hits / sizes).mean())


def accuracy(truth: Labels, prediction: Labels) -> float:
    """Share of rows that are right in full."""
    equal = truth == prediction
    return float((equal.all(axis=1) if truth.ndim == 2 else equal).mean())


def kendalltau(truth: Labels, prediction: Labels) -> float:
    """Kendall's tau-b, which allows for ties.

    Raises:
        ProbeError: one side is constant, so that there is no order to correlate.
    """
    import numpy as np
    from scipy.stats import kendalltau as tau_b

    for name, values in (("labels", truth), ("predictions", prediction)):
        if len(values) < 2 or np.all(values == values[0]):
            raise ProbeError(
                f"the {name} of all {len(values)} test rows are equal, Kendall's tau is undefined",
                fix="Use more rows, or check that the vectors differ between documents",
            )
    sides = np.asarray(truth, dtype=np.float64), np.asarray(prediction, dtype=np.float64)
    return float(tau_b(*sides).statistic)


def _f1_of_columns(truth: NDArray[np.bool_], prediction: NDArray[np.bool_]) -> NDArray[np.float64]:
    """F1 = 2 TP / (positives + predicted positives), 0 where both are none."""
    import numpy as np

    hits = np.asarray((truth & prediction).sum(axis=0), dtype=np.float64)
    sizes = np.asarray(truth.sum(axis=0) + prediction.sum(axis=0), dtype=np.float64)
    return 2.0 * hits / np.maximum(sizes, 1.0)


# The built-in ones are not decorated: extensions.py knows their names without this module.
# F1 of "the positive class" has no meaning for several labels a row.
F1 = Metric("f1", f1, "labels")
F1_MACRO = Metric("f1_macro", f1_macro, "labels", multi_label=True)
ACCURACY = Metric("accuracy", accuracy, "labels", multi_label=True)
KENDALLTAU = Metric("kendalltau", kendalltau, "numbers", bounds=(-1.0, 1.0))
