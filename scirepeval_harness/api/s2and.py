"""S2AND's own experiment, which runs in an environment of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from scirepeval_harness.api.results import PathLike
from scirepeval_harness.errors import UsageError
from scirepeval_harness.files import cache_dir, s2and_dir, write_json
from scirepeval_harness.progress import SILENT
from scirepeval_harness.task.places import Data, place_of, read_places
from scirepeval_harness.task.registry import load_registry

if TYPE_CHECKING:
    from scirepeval_harness.evaluations.s2and.files import Table
    from scirepeval_harness.progress import Progress

__all__ = ["embed", "run", "set_up"]


def set_up(folder: PathLike | None = None, say: Callable[[str], None] = SILENT.say) -> Path:
    """Install the package ``s2and`` from PyPI into ``folder``; `evaluate` then scores the task.

    Args:
        folder: None for ``$SCIREPEVAL_HARNESS_S2AND``, else beside the vectors. Another folder has
            to be named in that variable afterwards.
        say: called with each line that tells how far it is.

    Raises:
        ExperimentError: an installation that failed.
    """
    from scirepeval_harness.evaluations.s2and.environment import set_up as install

    place = s2and_dir() if folder is None else Path(folder)
    install(place, say)
    return place


def embed(
    model: Any,
    output: PathLike,
    *,
    data: Data = None,
    offline: bool = False,
    progress: Progress | None = None,
) -> Iterator[Path]:
    """Write a model's vectors as S2AND's files, for `run` or to use them elsewhere.

    Args:
        model: as in `evaluate`.
        data: the folder that holds S2AND's data sets, as in `evaluate`; by default its download.

    Raises:
        UsageError: a model without vectors.
        HarnessError: what reading, encoding or writing raises.
    """
    from scirepeval_harness.evaluations.author_disambiguation import AuthorBlocks
    from scirepeval_harness.evaluations.base import requests_of
    from scirepeval_harness.evaluations.s2and.files import write_embeddings
    from scirepeval_harness.model.base import EncodeOptions, Encoder, build_model
    from scirepeval_harness.model.registry import resolve_model
    from scirepeval_harness.task.load import DataOptions, load_task
    from scirepeval_harness.vectors.encode import embed_task
    from scirepeval_harness.vectors.store import EmbeddingStore

    [(suite, task)] = load_registry().select((), ("s2and",), ())
    directory = place_of(read_places(data), suite, task)
    loaded = load_task(task, suite, DataOptions(directory=directory, offline=offline))
    assert isinstance(loaded.data, AuthorBlocks)
    spec = resolve_model(model)
    if not spec.can_run(task):
        raise UsageError("the model has no vectors", where=f"model {spec.name}", fix="Use another")
    encoder = cast(Encoder, build_model(spec, EncodeOptions(None, None, None, offline)))
    store = EmbeddingStore(cache_dir())
    requests = requests_of(task, loaded.data)
    vectors = embed_task(task.name, requests, encoder, store, progress or SILENT)
    return iter(write_embeddings(loaded.data, vectors, Path(output)))


def run(
    embeddings: PathLike,
    *,
    data: Data = None,
    output: PathLike | None = None,
    train_pairs: int = 100_000,
    test_pairs: int = 10_000,
    iterations: int = 25,
    seed: int = 1,
    progress: Progress | None = None,
) -> Table:
    """S2AND's experiment on files of vectors: its B-cubed table; the published settings by default.

    Args:
        embeddings: the folder that `embed` wrote.
        data: the folder that holds S2AND's data sets, as in `evaluate`; by default its download.
        output: a JSON file for the table.
        train_pairs, test_pairs: pairs a data set to train and to tune on.
        iterations: settings tried a model.
        seed: of blocks, pairs and models.

    Raises:
        UsageError: no data.
        ExperimentError: S2AND's environment is not there, or its program failed.
    """
    from scirepeval_harness.evaluations.s2and.evaluate import Budget, run_experiment
    from scirepeval_harness.evaluations.s2and.files import embedded_sets
    from scirepeval_harness.task.download import obtain

    [(suite, task)] = load_registry().select((), ("s2and",), ())
    folder = place_of(read_places(data), suite, task) or obtain(task, offline=False)
    blocks = folder / (task.local.blocks or "")
    table = run_experiment(
        blocks,
        Path(embeddings),
        embedded_sets(Path(embeddings), blocks),
        s2and_dir(),
        budget=Budget(train_pairs, test_pairs, iterations, seed),
        say=(progress or SILENT).say,
    )
    if output is not None:
        write_json(Path(output), table.model_dump(mode="json"))
    return table
