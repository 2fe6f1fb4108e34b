from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from scirepeval_harness.errors import CoverageError, ModelError
from scirepeval_harness.model.base import Advance, Identity, Vectors
from scirepeval_harness.roles import Role
from scirepeval_harness.task.dataset import Document, EncodeRequest
from scirepeval_harness.vectors.encode import combine, embed
from scirepeval_harness.vectors.keys import space_key, text_key
from scirepeval_harness.vectors.store import EmbeddingStore, open_store


class Counting:
    """Encodes a text as its length and number of words, and counts what it is asked for."""

    name, cacheable = "counting", True

    def __init__(self, spoil: float | None = None) -> None:
        self.asked: list[str] = []
        self.spoil = spoil

    def identity(self, role: Role) -> Identity:
        return Identity(self.name, role, {"weights": "abc"})

    def text(self, document: Document, role: Role) -> str:
        return " ".join(document.parts)

    def prepare(self, documents: object) -> None: ...

    def encode(self, documents: list[Document], role: Role, advance: Advance) -> Vectors:
        texts = [self.text(document, role) for document in documents]
        self.asked += texts
        advance(len(texts))
        out = np.array([[len(t), t.count(" ")] for t in texts], dtype=np.float32)
        if self.spoil is not None:
            out[0, 0] = self.spoil
        return out


DOCUMENTS = [Document("a", ("one",)), Document("b", ("two", "words")), Document("c", ("one",))]


def ignore(count: int) -> None: ...


def asked(documents: list[Document], role: Role) -> EncodeRequest:
    return EncodeRequest(role, tuple(documents))


def test_equal_texts_are_encoded_once_and_a_second_run_encodes_nothing(tmp_path: Path) -> None:
    first, second = Counting(), Counting()
    store = EmbeddingStore(tmp_path)
    done = embed(first, asked(DOCUMENTS, Role.PROXIMITY), store, ignore)
    assert sorted(first.asked) == ["one", "two words"]
    assert (done.encoded, done.cached) == (2, 0)
    assert done.take(["c", "b", "a"]).tolist() == [[3, 0], [9, 1], [3, 0]]
    again = embed(second, asked(DOCUMENTS, Role.PROXIMITY), EmbeddingStore(tmp_path), ignore)
    assert second.asked == []
    assert (again.encoded, again.cached) == (0, 2)
    assert again.take(["b"]).tolist() == [[9, 1]]


def test_without_a_folder_the_vectors_are_the_same_and_nothing_stays() -> None:
    with open_store(None) as store:
        done = embed(Counting(), asked(DOCUMENTS, Role.PROXIMITY), store, ignore)
        assert done.take(["a", "b", "c"]).tolist() == [[3, 0], [9, 1], [3, 0]]
    assert not store.root.exists()


@pytest.mark.parametrize("spoil", ["flip", "cut", "foreign"])
def test_a_damaged_shard_is_set_aside_and_encoded_again(tmp_path: Path, spoil: str) -> None:
    embed(Counting(), asked(DOCUMENTS, Role.PROXIMITY), EmbeddingStore(tmp_path), ignore)
    shard = next(tmp_path.rglob("*.vec"))
    data = bytearray(shard.read_bytes())
    data[-1] ^= 1
    shard.write_bytes({"flip": data, "cut": data[:-3], "foreign": b"x" * 99}[spoil])
    encoder = Counting()
    done = embed(encoder, asked(DOCUMENTS, Role.PROXIMITY), EmbeddingStore(tmp_path), ignore)
    assert len(encoder.asked) == 2
    assert len(done.damaged) == 1
    assert done.damaged[0].shard.parent.name == "damaged"
    assert done.take(["b"]).tolist() == [[9, 1]]


def test_a_space_depends_on_the_details_and_not_on_name_or_role() -> None:
    one = Identity("m", Role.PROXIMITY, {"weights": "abc", "dtype": "float32"})
    same = Identity("other name", Role.QUERY, {"dtype": "float32", "weights": "abc"})
    other = Identity("m", Role.PROXIMITY, {"weights": "abc", "dtype": "bfloat16"})
    assert space_key(one) == space_key(same) != space_key(other)


def test_two_writers_of_one_space_see_each_other_when_opened_again(tmp_path: Path) -> None:
    identity = Counting().identity(Role.QUERY)
    first, second = (EmbeddingStore(tmp_path).space(identity) for _ in range(2))
    first.append([text_key("x")], np.ones((1, 2), np.float32))
    second.append([text_key("y")], np.zeros((1, 2), np.float32))
    both = EmbeddingStore(tmp_path).space(identity)
    assert len(both) == 2
    assert both.take([text_key("y"), text_key("x")]).tolist() == [[0, 0], [1, 1]]
    with pytest.raises(ModelError, match="3 dimensions"):
        both.append([text_key("z")], np.ones((1, 3), np.float32))


def test_a_document_in_both_tables_keeps_its_query_vector(tmp_path: Path) -> None:
    store = EmbeddingStore(tmp_path)
    queries = embed(Counting(), asked([Document("a", ("q",))], Role.QUERY), store, ignore)
    rest = [Document("a", ("other text",)), Document("z", ("zz",))]
    table = combine(queries, embed(Counting(), asked(rest, Role.PROXIMITY), store, ignore))
    assert table.take(["a", "z"]).tolist() == [[1, 0], [2, 0]]
    with pytest.raises(CoverageError, match="1 of 2 vectors are missing, such as no"):
        table.take(["a", "no"])


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("cacheable", [True, False])
def test_vectors_that_are_not_finite_are_refused_where_they_enter(
    tmp_path: Path, value: float, cacheable: bool
) -> None:
    """The one check for all evaluations, which names the model and the document."""
    encoder = Counting(value)
    encoder.cacheable = cacheable
    with pytest.raises(ModelError, match=r"model \w+, document [abc]: .*NaN or infinity"):
        embed(encoder, asked(DOCUMENTS, Role.QUERY), EmbeddingStore(tmp_path), ignore)
    assert not list(tmp_path.rglob("*.vec"))
