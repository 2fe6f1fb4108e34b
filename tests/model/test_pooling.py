"""Pooling, normalising, kept dimensions; decoders and encoder-decoders."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import PreTrainedTokenizerFast, Qwen3Model, T5Config, T5EncoderModel

from scirepeval_harness.errors import HarnessError
from scirepeval_harness.model.base import EncodeOptions, build_model
from scirepeval_harness.model.kinds import TransformerSpec
from scirepeval_harness.model.registry import resolve_model
from scirepeval_harness.model.replica import pool
from scirepeval_harness.model.transformer import TransformerEncoder
from scirepeval_harness.roles import Role
from scirepeval_harness.task.dataset import Document
from tests.support.tiny_decoder import save_decoder, save_tokenizer
from tests.support.tiny_models import TEXTS

DOCUMENTS = tuple(Document(str(n), (text, text[: 5 * n + 3])) for n, text in enumerate(TEXTS))


def by_hand(states: torch.Tensor, pooling: str) -> torch.Tensor:
    """Of the states of one text (tokens, dimensions), without padding."""
    count = len(states)
    weights = torch.arange(1, count + 1).unsqueeze(1)
    return {
        "cls": states[0],
        "second": states[1],
        "last": states[-1],
        "mean": states.mean(0),
        "max": states.amax(0),
        "weighted_mean": (states * weights).sum(0) / weights.sum(),
    }[pooling]


@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("pooling", ["last", "mean", "max", "weighted_mean"])
def test_padding_on_either_side_changes_nothing(pooling: str, side: str) -> None:
    lengths, longest = (2, 5, 3), 5
    texts = [torch.randn(length, 4) for length in lengths]
    states = torch.full((len(texts), longest, 4), 99.0)
    mask = torch.zeros(len(texts), longest, dtype=torch.long)
    for row, text in enumerate(texts):
        place = slice(longest - len(text), None) if side == "left" else slice(len(text))
        states[row, place], mask[row, place] = text, 1
    vectors = pool(states, mask, pooling)  # type: ignore[arg-type]
    torch.testing.assert_close(vectors, torch.stack([by_hand(text, pooling) for text in texts]))


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("decoders")
    decoder = save_decoder(root / "qwen3")
    base = root / "qwen3-base"
    size = len((base / "vocab.txt").read_text(encoding="utf-8").splitlines())
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        encoder = T5EncoderModel(
            T5Config(vocab_size=size, d_model=32, d_kv=16, d_ff=64, num_layers=2, num_heads=2)
        )
    encoder.save_pretrained(root / "t5")
    save_tokenizer(base, root / "t5")
    return {"bert": base, "qwen3": decoder, "t5": root / "t5"}


def encoder_of(folder: Path, dtype: str = "float32", **asked: object) -> TransformerEncoder:
    spec = resolve_model(folder, max_length=24, **asked)  # type: ignore[arg-type]
    options = EncodeOptions(device="cpu", dtype=dtype, batch_tokens=64)
    built = build_model(spec, options)
    assert isinstance(built, TransformerEncoder)
    return built


def encode(encoder: TransformerEncoder) -> np.ndarray:
    return encoder.encode(DOCUMENTS, Role.PROXIMITY, lambda count: None)


def alone(name: str, folder: Path, encoder: TransformerEncoder, pooling: str) -> np.ndarray:
    """One text at a time, by transformers."""
    kind = {"qwen3": Qwen3Model, "t5": T5EncoderModel}[name]
    model = kind.from_pretrained(folder).eval()
    tokenizer = PreTrainedTokenizerFast.from_pretrained(folder)
    rows = []
    for document in DOCUMENTS:
        text = encoder.text(document, Role.PROXIMITY)
        ids = tokenizer(text, truncation=True, max_length=24, return_tensors="pt")["input_ids"]
        with torch.inference_mode():
            rows.append(by_hand(model(input_ids=ids).last_hidden_state[0], pooling).numpy())
    return np.stack(rows)


@pytest.mark.parametrize("name", ["qwen3", "t5"])
@pytest.mark.parametrize("pooling", ["last", "mean", "weighted_mean"])
def test_decoders_and_encoder_decoders(models: dict[str, Path], name: str, pooling: str) -> None:
    encoder = encoder_of(models[name], pooling=pooling)
    # No separator: the end of a sequence stands between title and abstract.
    assert encoder.text(Document("1", ("a", "b")), Role.QUERY) == "a [SEP] b"
    vectors = encode(encoder)
    np.testing.assert_allclose(vectors, alone(name, models[name], encoder, pooling), atol=1e-5)


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_a_decoder_in_half_precision(models: dict[str, Path], dtype: str) -> None:
    exact = encode(encoder_of(models["qwen3"], pooling="last"))
    vectors = encode(encoder_of(models["qwen3"], dtype=dtype, pooling="last"))
    assert vectors.dtype == np.float32
    for row, other in zip(exact, vectors, strict=True):
        assert row @ other / np.linalg.norm(row) / np.linalg.norm(other) > 0.99


@pytest.mark.parametrize("pooling", [None, "second"])
def test_a_decoder_is_not_read_at_its_first_token(
    models: dict[str, Path], pooling: str | None
) -> None:
    with pytest.raises(HarnessError, match="sees nothing of the text after it"):
        encode(encoder_of(models["qwen3"], pooling=pooling))


def test_kept_dimensions_then_length_one(models: dict[str, Path]) -> None:
    whole = encode(encoder_of(models["bert"], pooling="mean"))
    encoder = encoder_of(models["bert"], pooling="mean", truncate_dim=7, normalize=True)
    assert encoder.dimensions == 7
    vectors = encode(encoder)
    expected = whole[:, :7] / np.linalg.norm(whole[:, :7], axis=1, keepdims=True)
    np.testing.assert_allclose(vectors, expected, atol=1e-6)
    # And in the identity: no vector is shared with the whole ones.
    details = encoder.identity(Role.QUERY).details
    assert (details["truncate_dim"], details["normalize"]) == ("7", "to length 1")


def test_a_model_file_has_them(models: dict[str, Path], tmp_path: Path) -> None:
    file = tmp_path / "m.toml"
    file.write_text(
        f'name = "m"\ntitle = "M"\nkind = "transformer"\nbase = {{ path = "{models["bert"]}" }}\n'
        'pooling = "max"\nnormalize = true\ntruncate_dim = 3\n'
        '[prompts]\nquery = "q: {text}"\ndocument = "d: {title}"\n'
        '[task_prompts.search]\ncandidate = "c: {text}"\n',
        encoding="utf-8",
    )
    spec = resolve_model(file)
    assert isinstance(spec, TransformerSpec)
    assert (spec.pooling, spec.normalize, spec.truncate_dim) == ("max", True, 3)
    rows = dict(spec.rows())
    assert rows["prompt query"] == "q: {text}"
    assert rows["prompt candidate in search"] == "c: {text}"


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('pooling = "first"', "pooling: must be one of cls, second, mean, last, max, weighted_me"),
        ("truncate_dim = 0", "truncate_dim: must be >= 1, not 0"),
        ('[prompts]\nquery = "q"', r"prompts.query: no \{text\} in 'q'"),
        ('[prompts]\nquery = "{body}"', r"unknown field \{body\} in '\{body\}'; fields are"),
        ('[prompts]\nquery = "{text} {"', "a brace itself is written twice"),
        ('[prompts]\nquestion = "{text}"', "must be one of classification, regression, prox"),
    ],
)
def test_a_model_file_that_is_wrong(tmp_path: Path, line: str, message: str) -> None:
    file = tmp_path / "m.toml"
    file.write_text(
        'name = "m"\ntitle = "M"\nkind = "transformer"\nbase = { path = "x" }\n' + line,
        encoding="utf-8",
    )
    with pytest.raises(HarnessError, match=message) as caught:
        resolve_model(file)
    assert str(file) in str(caught.value)


def test_every_pair_of_prompts_is_another_way_of_encoding(models: dict[str, Path]) -> None:
    given = [None, {"query": "a {text}"}, {"query": "b {text}"}, {"query": "{title}"}]
    details = [
        encoder_of(models["bert"], prompts=prompts).identity(Role.QUERY).details
        for prompts in given
    ]
    assert all(one != other for one, other in itertools.combinations(details, 2))
