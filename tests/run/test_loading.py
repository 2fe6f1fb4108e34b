"""Each task is read once a run, and beyond the budget its texts lie in a file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest

from scirepeval_harness.evaluations.ranking import RankingSet
from scirepeval_harness.model.base import Identity, Vectors
from scirepeval_harness.model.engine import EncodeStats
from scirepeval_harness.model.registry import load_models
from scirepeval_harness.options import RunOptions
from scirepeval_harness.results.folder import load_result
from scirepeval_harness.roles import Role
from scirepeval_harness.run import loading, loop
from scirepeval_harness.run.engine import LocalEngine
from scirepeval_harness.run.loading import SpooledDocuments, TaskLoader
from scirepeval_harness.task.dataset import Coverage, Document, LoadedTask, Provenance
from scirepeval_harness.task.registry import load_registry


def documents(prefix: str, count: int) -> dict[str, Document]:
    return {f"{prefix}{n}": Document(f"{prefix}{n}", (f"t {n}", "x" * n)) for n in range(count)}


def loader(sizes: dict[str, int], budget: int, folder: Path) -> tuple[TaskLoader, list[str]]:
    read: list[str] = []

    def load(task: Any, suite: Any, absent: frozenset[str]) -> LoadedTask:
        read.append(task.name)
        size = sizes[task.name]
        data = RankingSet(documents("q", 1), documents(task.name, size - 1), {})
        return LoadedTask(data, cast(Provenance, None), Coverage(size, size))

    return TaskLoader(load, folder, budget), read


def get(loader: TaskLoader, *names: str) -> list[bool]:
    """Asks for tasks; of each, whether its texts are in a file."""
    found = [loader.get(cast(Any, named(name)), cast(Any, None)).data for name in names]
    return [isinstance(cast(RankingSet, data).candidates, SpooledDocuments) for data in found]


def named(name: str) -> object:
    return type("Task", (), {"name": name})


def test_a_task_is_read_once_and_held_while_it_fits(tmp_path: Path) -> None:
    made, read = loader({"a": 4, "b": 5}, 9, tmp_path)
    assert get(made, "a", "b", "a", "b") == [False] * 4
    assert read == ["a", "b"]


def test_the_texts_used_longest_ago_go_to_a_file_first(tmp_path: Path) -> None:
    made, read = loader({"a": 4, "b": 4, "c": 4}, 8, tmp_path)
    assert get(made, "a", "b", "a", "c", "a", "b") == [False, False, False, False, False, True]
    assert read == ["a", "b", "c"]


def test_one_task_beyond_the_budget_is_read_once_too(tmp_path: Path) -> None:
    made, read = loader({"a": 4, "large": 10}, 8, tmp_path)
    assert get(made, "a", "large", "large", "a") == [False, True, True, True]
    assert read == ["a", "large"]


def test_spooled_documents_are_the_documents(tmp_path: Path) -> None:
    plain = documents("d", 2 * loading.ROWS + 3)
    odd = {"half": Document("half", ("\ud83d", "")), "none": Document("none", ())}
    spooled = SpooledDocuments(plain | odd, tmp_path / "texts")
    assert dict(spooled) == plain | odd
    assert list(spooled) == [*plain, *odd]
    assert list(spooled.values()) == [*plain.values(), *odd.values()]
    assert list(spooled.items()) == list((plain | odd).items())
    assert (len(spooled), "d7" in spooled, spooled["half"]) == (len(plain) + 2, True, odd["half"])
    assert "absent" not in spooled
    with pytest.raises(KeyError):
        spooled["absent"]


class Light:
    """Vectors that hang on the text alone; notes what it was asked to encode."""

    cacheable = True

    def __init__(self, name: str) -> None:
        self.name = name
        self.batches: list[list[str]] = []

    def identity(self, role: Role) -> Identity:
        return Identity(self.name, role, {"kind": self.name, "role": role.value})

    def text(self, document: Document, role: Role) -> str:
        return " ".join(document.parts)

    def prepare(self, documents: Sequence[Document]) -> None: ...

    def encode(
        self, documents: Sequence[Document], role: Role, advance: Callable[[int], None]
    ) -> Vectors:
        texts = [self.text(item, role) for item in documents]
        self.batches.append(texts)
        return np.array([[len(text), text.count("e"), text.count("a")] for text in texts], "f4")


class Together(Light):
    """As an encoder on a cluster: it takes all requests in one go."""

    stats, hardware = EncodeStats(), "none"

    def count_tokens(self, documents: Sequence[Document], role: Role) -> np.ndarray:
        return np.ones(len(documents), dtype=np.int64)

    def encode_batches(self, documents: Any, role: Role) -> Any:
        for _, rows, vectors in self.encode_orders([(documents, role)]):
            yield rows, vectors

    def encode_orders(self, orders: Any) -> Any:
        for number, (documents, role) in enumerate(orders):
            if documents:
                vectors = self.encode(documents, role, lambda count: None)
                yield number, np.arange(len(documents)), vectors


@pytest.mark.parametrize("kind", [Light, Together])
@pytest.mark.parametrize("budget", [0, 10**6])
def test_a_run_reads_each_task_once_for_all_its_models(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: type[Light], budget: int
) -> None:
    reads: Counter[str] = Counter()
    load = loading.load_task

    def counted(task: Any, *more: Any) -> LoadedTask:
        reads[task.name] += 1
        return load(task, *more)

    monkeypatch.setattr(loading, "load_task", counted)
    monkeypatch.setattr(TaskLoader.__init__, "__defaults__", (budget,))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    encoders: dict[str, Light] = {}
    monkeypatch.setattr(
        LocalEngine,
        "build",
        lambda self, spec, options: encoders.setdefault(spec.name, kind(spec.name)),
    )
    names = ("sample-cite", "sample-year", "sample-search")
    selection = load_registry().select(["sample"], names, [])
    base = load_models()["minilm"]
    specs = [base.model_copy(update={"name": name}) for name in ("one", "two")]
    options = RunOptions(output=tmp_path / "out", cache=None, limit=40)
    folders = loop.run(specs, selection, options)
    assert reads == dict.fromkeys(names, 1)
    assert [load_result(folder).run.status for folder in folders] == ["ok", "ok"]
    assert list((tmp_path / "temporary").iterdir()) == [], "neither texts nor vectors stay"
    made = [text for batch in encoders["one"].batches for text in batch]
    assert len(made) > 100
    assert encoders["one"].batches == encoders["two"].batches
    # Finished tasks of a run that goes on encode nothing.
    encoders.clear()
    loop.run(specs, selection, replace(options, existing="resume"))
    assert encoders["one"].batches == []
