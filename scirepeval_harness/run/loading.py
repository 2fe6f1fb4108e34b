"""The data of a run's tasks: each read once, however many models there are, in bounded memory."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, ItemsView, Iterator, Mapping, Sequence, ValuesView
from contextlib import contextmanager
from dataclasses import fields, replace
from itertools import islice
from pathlib import Path
from typing import Any

from scirepeval_harness.files import working_folder
from scirepeval_harness.options import RunOptions
from scirepeval_harness.task.dataset import Document, LoadedTask
from scirepeval_harness.task.load import DataOptions, load_task
from scirepeval_harness.task.places import place_of
from scirepeval_harness.task.sources import Opened
from scirepeval_harness.task.spec import SuiteSpec, TaskSpec

Selection = Sequence[tuple[SuiteSpec, TaskSpec]]
Load = Callable[[TaskSpec, SuiteSpec, frozenset[str]], LoadedTask]
BUDGET = 300_000
"""Documents whose texts stay in memory, about 0.7 GB."""
ROWS = 1_024
"""Documents of a record batch: what is read at a time when all are walked through."""


class TaskLoader:
    """Reads each task once. Beyond ``budget`` documents, the texts of the tasks that were used
    longest ago go to a temporary file; ids and labels stay.

    Planning, each model's encoding and each model's scores need the same rows, and reading them
    again means parsing, joining and fingerprinting them again.
    """

    def __init__(self, load: Load, folder: Path, budget: int = BUDGET) -> None:
        """``folder`` is for the files of texts; whoever made it takes it away again."""
        self._load, self._folder, self._budget = load, folder, budget
        self._held: OrderedDict[str, LoadedTask] = OrderedDict()
        self._spooled: dict[str, LoadedTask] = {}
        self._turn = threading.RLock()

    def get(self, task: TaskSpec, suite: SuiteSpec) -> LoadedTask:
        """The task's data; raises what the reader raises.

        A task that cannot be read is tried again when it is asked for again: a network that was
        away for the plan may be back for the scores.
        """
        name = task.name
        with self._turn:  # one thread may encode while another scores
            if name in self._held:
                self._held.move_to_end(name)
            elif name not in self._spooled:
                self._held[name] = self._load(task, suite, frozenset())
                self._spool()
            return self._held[name] if name in self._held else self._spooled[name]

    def without(self, task: TaskSpec, suite: SuiteSpec, absent: frozenset[str]) -> LoadedTask:
        """The task's data as if some documents were not there; read anew, and not kept."""
        return self._load(task, suite, absent)

    def _spool(self) -> None:
        while sum(one.coverage.documents_found for one in self._held.values()) > self._budget:
            # A task larger than the whole budget goes out as well; it is then read from its file.
            name, loaded = self._held.popitem(last=False)
            # Not by the task's name, which may be anything and longer than a file's.
            folder = self._folder / str(len(self._spooled))
            folder.mkdir()
            self._spooled[name] = replace(loaded, data=spool_texts(loaded.data, folder))


@contextmanager
def task_loader(options: RunOptions, opened: Opened | None = None) -> Iterator[TaskLoader]:
    """A loader of the data that the options name, for the time of a run; of the hub's tables those
    that are ``opened`` already are not asked for again."""
    chosen = DataOptions(
        offline=options.offline,
        allow_missing=options.allow_missing,
        limit=options.limit,
        seed=options.seed,
    )

    places = dict(options.data)

    def load(task: TaskSpec, suite: SuiteSpec, absent: frozenset[str]) -> LoadedTask:
        directory = place_of(places, suite, task)
        return load_task(task, suite, replace(chosen, absent=absent, directory=directory), opened)

    with working_folder("texts") as root:
        yield TaskLoader(load, root)


def spool_texts(data: Any, folder: Path) -> Any:
    """A task's data with every mapping of documents in a file below ``folder``, which is mapped
    into memory; everything else as it was."""
    texts = {}
    for one in fields(data):
        value = getattr(data, one.name)
        # By what it holds, not by the kind of task: a kind from another package is served as well.
        if isinstance(value, Mapping) and isinstance(next(iter(value.values()), None), Document):
            texts[one.name] = SpooledDocuments(value, folder / f"{one.name}.arrow")
    return replace(data, **texts)


class SpooledDocuments(Mapping[str, Document]):
    """Documents by id, in the order given; their texts lie in an Arrow file that is read in place.

    Args:
        path: the file to be written.
    """

    def __init__(self, documents: Mapping[str, Document], path: Path) -> None:
        import pyarrow as pa

        # Ids stay in memory, so that asking which documents there are reads no file.
        self._rows = {key: row for row, key in enumerate(documents)}
        # Bytes, because a text may hold half of a surrogate pair, which Arrow's strings refuse.
        schema = pa.schema({"id": pa.binary(), "parts": pa.list_(pa.binary())})
        with pa.OSFile(str(path), "wb") as file, pa.ipc.new_file(file, schema) as writer:
            rest = iter(documents.values())
            while some := list(islice(rest, ROWS)):
                ids = [_bytes(document.id) for document in some]
                parts = [[_bytes(part) for part in document.parts] for document in some]
                writer.write_batch(pa.record_batch({"id": ids, "parts": parts}, schema=schema))
        reader = pa.ipc.open_file(pa.memory_map(str(path)))
        self._batches = [reader.get_batch(at) for at in range(reader.num_record_batches)]

    def __getitem__(self, key: str) -> Document:
        batch, row = divmod(self._rows[key], ROWS)
        return _document(self._batches[batch].slice(row, 1).to_pylist()[0])

    def __iter__(self) -> Iterator[str]:
        return iter(self._rows)

    def __len__(self) -> int:
        return len(self._rows)

    def values(self) -> ValuesView[Document]:
        """Batch by batch, many times faster than one by one."""
        return _Values(self)

    def items(self) -> ItemsView[str, Document]:
        return _Items(self)

    def walk(self) -> Iterator[Document]:
        """The documents in their order."""
        for batch in self._batches:
            yield from map(_document, batch.to_pylist())


class _Values(ValuesView[Document]):
    def __init__(self, documents: SpooledDocuments) -> None:
        super().__init__(documents)
        self._documents = documents

    def __iter__(self) -> Iterator[Document]:
        return self._documents.walk()


class _Items(ItemsView[str, Document]):
    def __init__(self, documents: SpooledDocuments) -> None:
        super().__init__(documents)
        self._documents = documents

    def __iter__(self) -> Iterator[tuple[str, Document]]:
        return zip(self._documents, self._documents.walk(), strict=True)


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _document(row: Mapping[str, Any]) -> Document:
    parts = tuple(part.decode("utf-8", "surrogatepass") for part in row["parts"])
    return Document(row["id"].decode("utf-8", "surrogatepass"), parts)
