"""Static vectors: model2vec's folders against a loop, the packaged wordllama, and damaged files."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace

from scirepeval_harness.errors import HarnessError, ModelError
from scirepeval_harness.model.base import EncodeOptions, build_model
from scirepeval_harness.model.kinds import StaticSpec
from scirepeval_harness.model.registry import resolve_model
from scirepeval_harness.model.static import StaticEncoder
from scirepeval_harness.roles import Role
from scirepeval_harness.task.dataset import Document
from scirepeval_harness.task.registry import load_registry

WORDS = ("[UNK]", "graphs", "of", "citations", "and", "papers")
TABLE = np.arange(18, dtype=np.float32).reshape(6, 3) - 7
MODEL2VEC = {"model_type": "model2vec", "normalize": True}


def save(
    folder: Path, config: dict[str, Any] | None = None, words: tuple[str, ...] = WORDS,
    **tensors: np.ndarray,
) -> Path:  # fmt: skip
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer = Tokenizer(WordLevel({word: n for n, word in enumerate(words)}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = Whitespace()
    tokenizer.save(str(folder / "tokenizer.json"))
    save_file(tensors or {"embeddings": TABLE}, folder / "model.safetensors")
    if config is not None:
        (folder / "config.json").write_text(json.dumps(config))
    return folder


def make(folder: Path, **settings: Any) -> StaticEncoder:
    spec = StaticSpec(name="s", title="S", base={"path": str(folder)}, **settings)
    return StaticEncoder(spec, EncodeOptions())


def encode(encoder: Any, *texts: str) -> np.ndarray:
    documents = [Document(str(n), (text,) if text else ()) for n, text in enumerate(texts)]
    return encoder.encode(documents, Role.QUERY, lambda count: None)


def unit(row: np.ndarray) -> np.ndarray:
    return row / np.linalg.norm(row)


def test_a_text_is_the_mean_of_its_tokens(tmp_path: Path) -> None:
    vectors = encode(make(save(tmp_path)), "graphs of papers", "of of", "strange", "")
    expected = [TABLE[[1, 2, 5]].mean(0), TABLE[2], TABLE[0], [0, 0, 0]]
    np.testing.assert_allclose(vectors, expected, rtol=1e-6)
    assert vectors.dtype == np.float32


def test_a_folder_of_model2vec_is_known_by_its_config(tmp_path: Path) -> None:
    spec = resolve_model(str(save(tmp_path, MODEL2VEC)))
    assert isinstance(spec, StaticSpec)
    encoder = build_model(spec, EncodeOptions())
    vectors = encode(encoder, "graphs of strange papers", "strange")
    # An unknown token is left out; a text of nothing else is zeros.
    np.testing.assert_allclose(vectors, [unit(TABLE[[1, 2, 5]].mean(0)), [0, 0, 0]], rtol=1e-6)
    details = encoder.identity(Role.QUERY).details
    assert (details["max_length"], details["normalised"]) == ("512", "True")


def test_who_asks_for_static_vectors_of_a_folder_with_modules_is_told(tmp_path: Path) -> None:
    """By a model file, say: sentence-transformers reads the same folder otherwise."""
    encoder = make(save(tmp_path, MODEL2VEC))
    assert encoder.reading == ""
    (tmp_path / "modules.json").write_text("[]")
    assert encoder.reading == "read as static vectors, not as its modules.json says"


def test_its_mapping_and_weights_are_applied(tmp_path: Path) -> None:
    weights = np.linspace(0.5, 2, 6)
    save(
        tmp_path, {"model_type": "model2vec"}, embeddings=TABLE[:2].astype(np.float16),
        mapping=np.array([0, 1, 1, 0, 0, 1]), weights=weights,
    )  # fmt: skip
    vectors = encode(make(tmp_path), "of citations")
    expected = (TABLE[1] * weights[2] + TABLE[0] * weights[3]) / 2
    np.testing.assert_allclose(vectors, [expected], rtol=1e-6)


def test_its_longest_input_is_cut_as_its_library_cuts_it(tmp_path: Path) -> None:
    save(tmp_path, {"model_type": "model2vec", "max_length": 2})
    # Two tokens of a median of 5.5 characters: 10 characters are tokenised, "graphs of ".
    vectors = encode(make(tmp_path), "graphs of papers", "of of of")
    np.testing.assert_allclose(vectors, [TABLE[[1, 2]].mean(0), TABLE[2]], rtol=1e-6)
    one = encode(make(tmp_path, max_length=1, normalise=True), "of graphs")
    np.testing.assert_allclose(one, [unit(TABLE[2])], rtol=1e-6)


def test_identity_hangs_on_both_files_and_all_settings(tmp_path: Path) -> None:
    one = save(tmp_path / "one")
    others = [
        make(one), make(one, normalise=True), make(one, max_length=3), make(one, separator=". "),
        make(save(tmp_path / "two", embeddings=TABLE + 1)),
        make(save(tmp_path / "three", words=(*WORDS[:-1], "books"))),
    ]  # fmt: skip
    digests = [json.dumps({**encoder.identity(Role.QUERY).details, "base": ""}, sort_keys=True)
               for encoder in others]  # fmt: skip
    assert len(set(digests)) == len(others)


def remove(name: str) -> Any:
    return lambda folder: (folder / name).unlink()


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (remove("model.safetensors"), "no file model.safetensors"),
        (remove("tokenizer.json"), "no file tokenizer.json"),
        (lambda folder: (folder / "model.safetensors").write_bytes(b"x"), "cannot be read"),
        (lambda folder: save(folder, other=TABLE), "no table embeddings or .* but other"),
        (lambda folder: save(folder, embeddings=TABLE[0]), "no table"),
        (lambda folder: save(folder, embeddings=TABLE[:4]), "6 tokens and vectors of 4"),
        (lambda folder: (folder / "tokenizer.json").write_text("{}"), "tokenizer cannot be read"),
        (lambda folder: (folder / "config.json").write_text("[]"), "not a JSON object"),
    ],
)
def test_damaged_files_are_named(tmp_path: Path, damage: Any, words: str) -> None:
    damage(save(tmp_path))
    with pytest.raises(ModelError, match=f"{words}.*(again|of one model)"):
        encode(make(tmp_path), "graphs")


def test_no_such_folder(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"no file model\.safetensors"):
        make(tmp_path / "none").identity(Role.QUERY)
    with pytest.raises(HarnessError, match="--pooling mean does not apply: static has none"):
        resolve_model(str(save(tmp_path, MODEL2VEC)), pooling="mean")


def test_wordllama_is_the_mean_of_its_table() -> None:
    found = importlib.util.find_spec("wordllama")
    if found is None or found.origin is None:
        pytest.skip("the package with the weights is not installed")
    folder = Path(found.origin).parent
    spec = resolve_model("wordllama")
    encoder = build_model(spec, EncodeOptions())
    texts = ["Graphs of citations", "We study how papers cite each other. " * 300, ""]
    vectors = encode(encoder, *texts)
    from safetensors.numpy import load_file

    table = load_file(folder / spec.vectors)["embedding.weight"].astype(np.float64)
    tokenizer = Tokenizer.from_file(str(folder / spec.tokenizer))
    for text, vector in zip(texts, vectors, strict=True):
        ids = tokenizer.encode(text, add_special_tokens=False).ids
        expected = table[ids].mean(0) if ids else np.zeros(256)
        np.testing.assert_allclose(vector, expected, atol=1e-5)
    assert encoder.identity(Role.QUERY).details["base_revision"] == "0.4.0.post1"


def test_prompts_stand_around_the_text_and_in_the_identity(tmp_path: Path) -> None:
    folder = str(save(tmp_path, {"model_type": "model2vec"}))
    plain, given = make(tmp_path), resolve_model(folder, prompts={"query": "papers {text}"})
    encoder = build_model(given, EncodeOptions())
    np.testing.assert_array_equal(encode(encoder, "graphs"), encode(plain, "papers graphs"))
    identities = [one.identity(Role.QUERY).details for one in (plain, encoder)]
    assert dict(identities[1]) == {**identities[0], "prompt": "papers {text}"}
    assert encoder.identity(Role.PROXIMITY).details == plain.identity(Role.PROXIMITY).details
    task = load_registry().tasks["search"]
    own = StaticEncoder(
        given.model_copy(update={"task_prompts": {"search": {"candidate": "and {text}"}}}),
        EncodeOptions(),
    ).for_task(task)
    document = Document("1", ("of",))
    assert [own.text(document, role) for role in (Role.QUERY, Role.PROXIMITY)] == [
        "papers of", "and of",
    ]  # fmt: skip
    with pytest.raises(HarnessError, match="--normalize does not apply: static has none"):
        resolve_model(folder, prompts={"query": "papers {text}"}, normalize=True)


def test_texts_are_cut_at_the_longest_input_of_tokens_or_of_characters(tmp_path: Path) -> None:
    documents = [Document(str(n), ("of " * n,)) for n in (3, 4, 200)]
    plain = make(save(tmp_path / "plain"), max_length=3)
    assert plain.overlong(documents, Role.QUERY).tolist() == [False, True, True]
    assert make(tmp_path / "plain").overlong(documents, Role.QUERY).tolist() == [False] * 3
    # Six words of a median of six letters: 3 * 6 characters are read, which are six short words.
    model2vec = make(save(tmp_path / "model2vec", MODEL2VEC | {"max_length": 3}))
    assert model2vec.overlong(documents, Role.QUERY).tolist() == [False, True, True]
