"""How many texts are cut at the longest input: counted on tokens, kept beside the vectors."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sentence_transformers import SentenceTransformer

from scirepeval_harness.errors import ModelError
from scirepeval_harness.evaluations.vector_warnings import cut_warnings
from scirepeval_harness.model.base import EncodeOptions, Model, build_model
from scirepeval_harness.model.registry import resolve_model
from scirepeval_harness.roles import Role
from scirepeval_harness.task.dataset import Document, EncodeRequest
from scirepeval_harness.task.registry import load_registry
from scirepeval_harness.vectors import cut as module
from scirepeval_harness.vectors.cut import Cut, count_cut
from scirepeval_harness.vectors.encode import embed
from scirepeval_harness.vectors.store import EmbeddingStore
from tests.support.tiny_models import save_base
from tests.support.tiny_modules import save_modules

TASK = load_registry().tasks["drsm"]
# Words of one letter are one token each; two more stand around them.
SIZES = (1, 29, 30, 31, 200)


def texts(sizes: tuple[int, ...] = SIZES) -> EncodeRequest:
    documents = tuple(
        Document(str(n), ("a " * size + str(n % 10),)) for n, size in enumerate(sizes)
    )
    return EncodeRequest(Role.CLASSIFICATION, documents)


def model_of(folder: Path, **asked: Any) -> Any:
    return build_model(resolve_model(str(folder), **asked), EncodeOptions(device="cpu"))


def model_of_object(thing: object) -> Any:
    return build_model(resolve_model(thing), EncodeOptions(device="cpu"))


def warned(model: Model, request: EncodeRequest, root: Path) -> list[str]:
    return list(cut_warnings(TASK, model, [request], EmbeddingStore(root)))


@pytest.mark.parametrize("kind", ["transformer", "sentence_transformers"])
def test_a_text_is_cut_where_its_tokens_are_more_than_the_longest_input(
    tmp_path: Path, kind: str
) -> None:
    if kind == "transformer":
        model = model_of(save_base(tmp_path / "model"), max_length=32)
    else:
        model = model_of(save_modules(tmp_path / "model"))
    # 29 letters, the digit, and two special tokens are 32.
    documents, role = texts().documents, Role.CLASSIFICATION
    assert model.overlong(documents, role).tolist() == [False, False, True, True, True]
    assert model.count_tokens(documents, role).tolist()[1:] == [32, 32, 32, 32]
    assert warned(model, texts(), tmp_path / "store") == [
        "60.0% of the classification texts are cut at the longest input of 32 tokens"
    ]


def test_few_are_not_worth_a_word_and_many_are_an_even_sample(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = model_of(save_base(tmp_path / "model"), max_length=32)
    assert warned(model, texts((40, *[2] * 100)), tmp_path / "store") == []
    assert len(warned(model, texts((40, *[2] * 99)), tmp_path / "store")) == 1
    assert warned(model, texts((2,) * 5), tmp_path / "store") == []
    monkeypatch.setattr(module, "LOOKED_AT", 10)
    # Every second one of 20, and all of those are long.
    assert warned(model, texts((40, 2) * 10), tmp_path / "store") == [
        "about 100.0% of the classification texts are cut at the longest input of 32 tokens"
    ]


def test_vectors_of_the_store_say_the_same_without_a_tokenizer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, root = save_base(tmp_path / "model"), tmp_path / "store"
    first = model_of(folder, max_length=32)
    store = EmbeddingStore(root)
    embed(first, texts(), store)
    assert count_cut(first, texts(), store) == Cut(3, 5, exact=True)
    store.close()
    [kept] = root.glob("*/cut.json")
    again = model_of(folder, max_length=32)

    def unwanted(role: Role) -> None:
        raise AssertionError("a tokenizer was loaded")

    monkeypatch.setattr(again, "_load_tokenizer", unwanted)
    assert count_cut(again, texts(), EmbeddingStore(root)) == Cut(3, 5, exact=True)
    # Of other texts, or of a file that is damaged, nothing is known: they are counted.
    with pytest.raises(AssertionError, match="tokenizer"):
        count_cut(again, texts((9, 90)), EmbeddingStore(root))
    for damaged in ("[", "[1]", json.dumps({"x": "3"})):
        kept.write_text(damaged)
        assert count_cut(first, texts(), EmbeddingStore(root)) == Cut(3, 5, exact=True)


def test_a_count_that_cannot_be_made_fails_no_score(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = model_of(save_base(tmp_path / "model"), max_length=32)

    def broken(role: Role) -> None:
        raise ModelError("no tokenizer", where="here")

    monkeypatch.setattr(model, "_load_tokenizer", broken)
    [said] = warned(model, texts(), tmp_path / "store")
    assert said.startswith("how many classification texts are cut is unknown: ")


def test_of_an_ensemble_each_member_says_its_own(tmp_path: Path) -> None:
    save_base(tmp_path / "long")
    save_base(tmp_path / "short", seed=1)
    for name, length in (("long", 512), ("short", 32)):
        (tmp_path / f"{name}.toml").write_text(
            f'name = "{name}"\ntitle = "{name}"\nkind = "transformer"\nmax_length = {length}\n'
            f'base = {{ path = "{name}" }}\n'
        )
    (tmp_path / "both.toml").write_text(
        'name = "both"\ntitle = "both"\nkind = "ensemble"\ncombine = "concatenate"\n'
        'members = ["./long.toml", "./short.toml"]\n'
    )
    assert warned(model_of(tmp_path / "both.toml"), texts(), tmp_path / "store") == [
        "short: 60.0% of the classification texts are cut at the longest input of 32 tokens"
    ]


def test_an_object_of_sentence_transformers_is_asked_as_its_folder_would_be(
    tmp_path: Path,
) -> None:
    folder = save_modules(tmp_path / "model", prompts={"document": "a a a "})
    thing = SentenceTransformer(str(folder), device="cpu")
    before = thing.encode(["a " * 100])
    for one in (thing, str(folder)):
        model = model_of_object(one)
        # Three words of the prompt come before each text.
        assert model.overlong(texts((1, 26, 27)).documents, Role.CLASSIFICATION).tolist() == [
            False, False, True,
        ]  # fmt: skip
    [said] = warned(model_of_object(thing), texts(), tmp_path / "store")
    assert said == "80.0% of the classification texts are cut at the longest input"
    np.testing.assert_array_equal(thing.encode(["a " * 100]), before)


def test_no_word_of_models_that_have_no_longest_input(tmp_path: Path) -> None:
    made = tmp_path / "made.npz"
    np.savez(made, ids=np.array(["0"]), vectors=np.ones((1, 2)))
    for name in ("tfidf", "bm25", str(made)):
        model = build_model(resolve_model(name), EncodeOptions())
        assert warned(model, texts(), tmp_path / "store") == []
