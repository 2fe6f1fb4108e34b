"""Tasks that are read once and scored again and again, on a model that is being trained."""

from __future__ import annotations

import math
import random
import re
import warnings
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from scirepeval_harness.api.evaluate import Choice, Names, choose
from scirepeval_harness.api.results import PathLike, as_list
from scirepeval_harness.files import working_folder
from scirepeval_harness.options import RunOptions
from scirepeval_harness.progress import SILENT, Progress
from scirepeval_harness.results.folder import Result, load_results
from scirepeval_harness.results.leaderboard import measured_row, task_numbers
from scirepeval_harness.run.arrival import arrive
from scirepeval_harness.run.loading import Selection, task_loader
from scirepeval_harness.run.loop import run
from scirepeval_harness.task.places import Data
from scirepeval_harness.task.sources import Opened

NANO = "scirepeval-nano"
MEAN = "mean"
"""The mean over all numbers of the tasks, as they enter averages."""


class Monitor:
    """Scores of a model as it is now, in a dictionary of numbers for W&B, TensorBoard or trackio.

    The data is read when the first model is scored, and kept. Keys are ``mean`` (over all numbers
    of the tasks, as they enter averages), the columns that are whole (``average_nano``), and each
    score by its task (``drsm_nano_f1_macro_64_shot``). A task that fails, say because the model
    gives NaN, has no key; the mean is then NaN, and a warning says why.

    Args:
        suite, tasks, formats, tasks_dirs, data: as for :func:`scirepeval_harness.evaluate`.
        output: a folder for the results of each call, as ``evaluate`` writes them; None for none.
        progress: where progress is shown; None for nowhere.
        options: ``probe``, ``seed``, ``limit``, ``device``, ``offline`` and the like, as for
            ``evaluate``.

    Example:
        >>> from scirepeval_harness.integrations import Monitor
        >>> monitor = Monitor(suite="sample", tasks="sample-search")
        >>> sorted(monitor(lambda texts: [[len(text), text.count("e")] for text in texts]))
        ['mean', 'sample_search_ndcg']
    """

    def __init__(
        self,
        suite: Names = NANO,
        *,
        tasks: Names = None,
        formats: Names = None,
        tasks_dirs: Sequence[PathLike] = (),
        data: Data = None,
        output: PathLike | None = None,
        progress: Progress | None = None,
        **options: Any,
    ) -> None:
        self._asked: dict[str, Any] = {
            "suite": suite, "tasks": tasks, "formats": formats,
            "tasks_dirs": tasks_dirs, "data": data,
        }  # fmt: skip
        self._output = None if output is None else Path(output)
        self._progress = progress or SILENT
        # A misspelt name is known before the training, not hours into it.
        chosen = choose(_nothing, **self._asked)
        self.name = "+".join(chosen.suites)
        self._options = RunOptions(output=Path(), data=tuple(chosen.places.items()), **options)
        self._held, self._opened = ExitStack(), Opened()
        self._loader = self._held.enter_context(task_loader(self._options, self._opened))

    def __call__(self, model: Any, label: str = "now") -> dict[str, float]:
        """The model's scores, x 100.

        Args:
            model: an object with ``encode``, or whatever else ``evaluate`` takes.
            label: names the folder of this call below ``output``.

        Raises:
            HarnessError: data that cannot be had, or results that cannot be written.
        """
        chosen = choose(model, **self._asked)
        with ExitStack() as stack:
            folder = (
                stack.enter_context(working_folder("results"))
                if self._output is None
                else self._output / label
            )
            folders = run(
                chosen.models, chosen.selection, replace(self._options, output=folder),
                progress=self._progress, arrived=lambda selection: self._arrived(selection, chosen),
                loader=self._loader,
            )  # fmt: skip
            [result] = load_results(folders)
            return _flat(result, chosen)

    def _arrived(self, selection: Selection, chosen: Choice) -> Selection:
        kept, _ = arrive(
            selection, chosen.places, named=as_list(self._asked["tasks"]),
            offline=self._options.offline, progress=self._progress, opened=self._opened,
        )  # fmt: skip
        return kept


def _nothing(texts: list[str]) -> list[list[float]]:
    """Stands for the model where only the tasks are chosen."""
    return [[0.0] for _ in texts]


def _flat(result: Result, chosen: Choice) -> dict[str, float]:
    registry, found = chosen.registry, dict[str, float]()
    numbers: list[float] = []
    for suite, task in chosen.selection:
        record = result.tasks.get(task.name)
        values = {score.key: score.value for score in record.scores} if record else {}
        of_task = task_numbers(task, values, suite.readings).values()
        numbers += [math.nan if value is None else float(value) for value in of_task]
        if record is None or record.status != "ok":
            why = record.error if record else "it was left out"
            warnings.warn(f"{task.name} has no score: {why}", stacklevel=4)
            continue
        for score in record.scores:
            if score.field is None:
                found[_key(f"{task.name} {score.key}")] = score.value
    suites = {suite.name: suite for suite, _ in chosen.selection}.values()
    means = measured_row(result, list(suites), registry.tasks).means
    columns = {
        _key(name): mean.value
        for name, mean in means.items()
        if mean.value is not None and not mean.partial
    }
    return {MEAN: sum(numbers) / len(numbers), **columns, **found}


def _key(text: str) -> str:
    """A name that every logger takes: small letters, digits, underscores."""
    return re.sub(r"[^a-z0-9]+", "_", text.lower()).strip("_")


@contextmanager
def undisturbed(model: Any) -> Iterator[None]:
    """The model in evaluation mode and without gradients, for as long as the context lasts.

    Afterwards all is as it was: the mode of every module, the device, and the generators of
    Python, numpy and torch on every device. Gradients that wait for the next step are not touched.
    Memory that the caching allocator took for the evaluation is given back.
    """
    import numpy as np
    import torch

    modes = [(module, module.training) for module in model.modules()]
    place = next((one.device for one in model.parameters()), None)
    of_python, of_numpy = random.getstate(), np.random.get_state()
    on_card = place is not None and place.type == "cuda"
    cards = range(torch.cuda.device_count()) if on_card else ()
    try:
        with torch.random.fork_rng(devices=cards), torch.no_grad():
            model.eval()
            yield
    finally:
        for module, training in modes:
            # Not train(): a module may hold parts whose mode is their own.
            module.training = training
        if place is not None and next(model.parameters()).device != place:
            model.to(place)
        random.setstate(of_python)
        np.random.set_state(of_numpy)
        if on_card:
            torch.cuda.empty_cache()
