"""The transformer against a plain loop: one document at a time, straight through transformers."""

from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AutoModel, AutoTokenizer, BertModel

from scirepeval_harness.errors import ModelError
from scirepeval_harness.model.base import EncodeOptions, Identity
from scirepeval_harness.model.bottleneck import adapter_reader
from scirepeval_harness.model.kinds import TransformerSpec, Weights
from scirepeval_harness.model.transformer import TransformerEncoder
from scirepeval_harness.roles import Role
from scirepeval_harness.task.dataset import Document, EncodeRequest
from scirepeval_harness.vectors.encode import embed
from scirepeval_harness.vectors.store import open_store
from tests.support.tiny_models import CODES, TEXTS, save_adapter, save_base

try:
    import adapters
except ImportError:
    # Beside transformers 5 there is no such library, and the harness reads adapters itself.
    HAS_LIBRARY = False
else:
    HAS_LIBRARY = True

ROLES = (Role.CLASSIFICATION, Role.REGRESSION, Role.PROXIMITY, Role.QUERY)
SPECTER2 = dict(
    zip(
        ROLES,
        (
            "allenai/specter2_classification",
            "allenai/specter2_regression",
            "allenai/specter2",
            "allenai/specter2_adhoc_query",
        ),
        strict=True,
    )
)
WORDS = " ".join(TEXTS).split()


def some_documents() -> list[Document]:
    """Short, long, empty and title-only documents, in no order of length."""
    rng = np.random.default_rng(5)
    made = [
        Document(
            f"d{index}",
            tuple(" ".join(rng.choice(WORDS, size)) for size in (6, int(rng.integers(1, 120)))),
        )
        for index in range(25)
    ]
    very_long = Document("long", ("Coral reefs", " ".join(rng.choice(WORDS, 2_000))))
    return [*made, very_long, Document("empty", ()), Document("title", ("Ocean warming",))]


DOCUMENTS = some_documents()


def spec_of(
    base: Path, adapters: dict[Role, Path] | None = None, **more: object
) -> TransformerSpec:
    places = {role: Weights(path=str(folder)) for role, folder in (adapters or {}).items()}
    return TransformerSpec.model_validate(
        {
            "name": "tiny",
            "title": "Tiny",
            "kind": "transformer",
            "base": {"path": str(base)},
            "adapters": places,
            **more,
        }
    )


def encoder_of(spec: TransformerSpec, **options: object) -> TransformerEncoder:
    settings = {"device": "cpu", "dtype": "float32", "batch_tokens": 700, **options}
    return TransformerEncoder(spec, EncodeOptions(**settings))  # type: ignore[arg-type]


def encode(encoder: TransformerEncoder, role: Role, documents: Sequence[Document] = DOCUMENTS):
    return encoder.encode(documents, role, lambda count: None)


def add_by_formula(model: BertModel, folder: Path) -> None:
    """The published kind of adapter, written out as in the paper's code."""
    tensors = torch.load(folder / "pytorch_adapter.bin", weights_only=True)
    name = json.loads((folder / "adapter_config.json").read_text())["name"]

    def hook(number: int):  # type: ignore[no-untyped-def]
        def adapted(module, inputs, output):  # type: ignore[no-untyped-def]
            part = f"bert.encoder.layer.{number}.output.adapters.{name}.adapter_"
            down = output @ tensors[part + "down.0.weight"].T + tensors[part + "down.0.bias"]
            up = down.relu() @ tensors[part + "up.weight"].T + tensors[part + "up.bias"]
            return module.LayerNorm(up + module.dense(inputs[0]) + inputs[1])

        return adapted

    for number, layer in enumerate(model.encoder.layer):
        layer.output.register_forward_hook(hook(number))


def plain_loop(
    base: Path,
    adapter: Path | None,
    *,
    pooling: str = "cls",
    code: str = "",
    max_length: int = 512,
) -> np.ndarray:
    """What the published evaluation does, document by document."""
    tokenizer = AutoTokenizer.from_pretrained(str(base))
    model = AutoModel.from_pretrained(str(base))
    if adapter is not None and HAS_LIBRARY:
        adapters.init(model)
        model.load_adapter(str(adapter), load_as="oracle", set_active=True)
    elif adapter is not None:
        add_by_formula(model, adapter)
    model.eval()
    result = []
    for document in DOCUMENTS:
        text = f" {tokenizer.sep_token} ".join(part for part in document.parts if part)
        inputs = tokenizer(
            [f"{code} {text}" if code else text],
            truncation=True,
            max_length=max_length,
            return_tensors="pt",
            return_token_type_ids=False,
        )
        with torch.no_grad():
            states = model(**inputs).last_hidden_state[0]
        picked = {"cls": states[0], "second": states[1], "mean": states.mean(0)}[pooling]
        result.append(picked.numpy())
    return np.stack(result)


@pytest.mark.parametrize("pooling", ["cls", "second", "mean"])
def test_base_equals_the_plain_loop(folders: dict[str, Path], pooling: str) -> None:
    base = folders["allenai/specter"]
    vectors = encode(encoder_of(spec_of(base, pooling=pooling)), Role.PROXIMITY)
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(vectors, plain_loop(base, None, pooling=pooling), atol=1e-5)


def test_each_role_equals_the_plain_loop_with_its_adapter(folders: dict[str, Path]) -> None:
    base = folders["allenai/specter2_base"]
    places = {role: folders[name] for role, name in SPECTER2.items()}
    encoder = encoder_of(spec_of(base, places))
    made = {role: encode(encoder, role) for role in (*ROLES, Role.CLASSIFICATION, Role.QUERY)}
    for role in ROLES:
        np.testing.assert_allclose(made[role], plain_loop(base, places[role]), atol=1e-5)
    for role in ROLES[1:]:
        assert np.abs(made[role] - made[Role.CLASSIFICATION]).max() > 0.1


def test_switching_loads_nothing_twice(
    folders: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    from scirepeval_harness.model import replica

    loads: list[str] = []
    used = adapter_reader()
    real_base, real_adapter = replica.load_base, used.add_adapter

    def count_base(folder: Path, where: str) -> object:
        loads.append("base")
        return real_base(folder, where)

    def count_adapter(model: object, folder: Path, name: str, where: str) -> None:
        loads.append(name)
        real_adapter(model, folder, name, where)

    monkeypatch.setattr(replica, "load_base", count_base)
    monkeypatch.setattr(used, "add_adapter", count_adapter)
    places = {role: folders[name] for role, name in SPECTER2.items()}
    encoder = encoder_of(spec_of(folders["allenai/specter2_base"], places))
    first = {role: encode(encoder, role) for role in ROLES}
    again = {role: encode(encoder, role) for role in reversed(ROLES)}
    assert sorted(loads) == sorted(["base", *(role.value for role in ROLES)])
    for role in ROLES:
        np.testing.assert_array_equal(first[role], again[role])


def test_a_role_without_adapter_uses_the_base_alone(
    folders: dict[str, Path], caplog: pytest.LogCaptureFixture
) -> None:
    base = folders["allenai/specter2_base"]
    places = {Role.PROXIMITY: folders["allenai/specter2"]}
    encoder = encoder_of(spec_of(base, places))
    with caplog.at_level(logging.WARNING):
        encode(encoder, Role.PROXIMITY)
        vectors = encode(encoder, Role.CLASSIFICATION)
    np.testing.assert_allclose(vectors, plain_loop(base, None), atol=1e-5)
    assert "none are activated" not in caplog.text


def test_control_codes_equal_the_plain_loop(folders: dict[str, Path]) -> None:
    base = folders["allenai/scirepeval_ctrl"]
    codes = dict(zip(ROLES, CODES, strict=True))
    encoder = encoder_of(spec_of(base, control_codes=codes, pooling="second"))
    made = {role: encode(encoder, role) for role in ROLES}
    for role, code in codes.items():
        expected = plain_loop(base, None, pooling="second", code=code)
        np.testing.assert_allclose(made[role], expected, atol=1e-5)
    assert np.abs(made[Role.QUERY] - made[Role.PROXIMITY]).max() > 0.1
    assert encoder.text(Document("a", ("T", "A")), Role.QUERY) == "[QRY] T [SEP] A"


def test_a_control_code_must_be_one_token(folders: dict[str, Path]) -> None:
    spec = spec_of(
        folders["allenai/specter"], control_codes={Role.QUERY: "[QRY]"}, pooling="second"
    )
    with pytest.raises(ModelError, match=r"control code \[QRY\] is not one token"):
        encode(encoder_of(spec), Role.QUERY)


def test_a_folder_with_only_a_vocabulary(folders: dict[str, Path]) -> None:
    base = folders["allenai/scibert_scivocab_uncased"]
    encoder = encoder_of(spec_of(base))
    assert encoder.text(Document("a", ("T", "A")), Role.QUERY) == "T [SEP] A"
    np.testing.assert_allclose(encode(encoder, Role.QUERY), plain_loop(base, None), atol=1e-5)


def test_truncation_at_the_maximum_length(folders: dict[str, Path]) -> None:
    base = folders["allenai/specter"]
    encoder = encoder_of(spec_of(base, max_length=16))
    expected = plain_loop(base, None, max_length=16)
    np.testing.assert_allclose(encode(encoder, Role.QUERY), expected, atol=1e-5)
    lengths = encoder.count_tokens(DOCUMENTS, Role.QUERY)
    assert lengths.max() == 16
    assert lengths[[document.id for document in DOCUMENTS].index("empty")] == 2
    assert encoder.count_tokens([], Role.QUERY).tolist() == []


def test_counted_tokens_are_the_encoded_tokens(folders: dict[str, Path]) -> None:
    encoder = encoder_of(spec_of(folders["allenai/specter"]))
    encode(encoder, Role.QUERY)
    assert encoder.stats.tokens == encoder.count_tokens(DOCUMENTS, Role.QUERY).sum()
    assert encoder.stats.documents == len(DOCUMENTS)
    assert encoder.stats.padded_tokens >= encoder.stats.tokens


@pytest.mark.parametrize("budget", [1, 300, 100_000])
def test_a_vector_does_not_depend_on_its_batch(folders: dict[str, Path], budget: int) -> None:
    spec = spec_of(folders["allenai/specter"])
    alone = np.concatenate([encode(encoder_of(spec), Role.QUERY, [d]) for d in DOCUMENTS[:4]])
    together = encode(encoder_of(spec, batch_tokens=budget), Role.QUERY)
    np.testing.assert_allclose(together[:4], alone, atol=1e-5)


def test_two_devices_give_the_same_vectors(folders: dict[str, Path]) -> None:
    places = {Role.PROXIMITY: folders["allenai/specter2"]}
    spec = spec_of(folders["allenai/specter2_base"], places)
    one = encode(encoder_of(spec), Role.PROXIMITY)
    two = encode(encoder_of(spec, device="cpu,cpu"), Role.PROXIMITY)
    np.testing.assert_allclose(one, two, atol=1e-5)


def test_windows_do_not_show(folders: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    spec, counts = spec_of(folders["allenai/specter"]), []
    whole = encode(encoder_of(spec), Role.QUERY)
    monkeypatch.setattr("scirepeval_harness.model.token_encoder.WINDOW", 5)
    windows = encoder_of(spec).encode(DOCUMENTS, Role.QUERY, counts.append)
    np.testing.assert_allclose(windows, whole, atol=1e-5)
    assert sum(counts) == len(DOCUMENTS)


def test_no_documents(folders: dict[str, Path]) -> None:
    assert encode(encoder_of(spec_of(folders["allenai/specter"])), Role.QUERY, []).shape == (0, 32)


def test_bfloat16_stays_near(folders: dict[str, Path]) -> None:
    places = {Role.PROXIMITY: folders["allenai/specter2"]}
    spec = spec_of(folders["allenai/specter2_base"], places)
    exact = encode(encoder_of(spec), Role.PROXIMITY)
    rounded = encode(encoder_of(spec, dtype="bfloat16"), Role.PROXIMITY)
    assert rounded.dtype == np.float32
    cosine = (exact * rounded).sum(1) / np.linalg.norm(exact, axis=1)
    assert (cosine / np.linalg.norm(rounded, axis=1)).min() > 0.995
    assert np.abs(exact - rounded).max() > 0


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_an_adapter_that_changes_nothing_is_an_error(
    folders: dict[str, Path], tmp_path: Path, dtype: str
) -> None:
    dead = save_adapter(tmp_path / "dead", seed=0, scale=0.0)
    spec = spec_of(folders["allenai/specter2_base"], {Role.QUERY: dead})
    with pytest.raises(ModelError, match=r"adapter .*dead: the adapter does not change"):
        encode(encoder_of(spec, dtype=dtype), Role.QUERY)


def test_an_adapter_that_is_not_active_is_an_error(
    folders: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(adapter_reader(), "activate", lambda model, name: None)
    spec = spec_of(folders["allenai/specter2_base"], {Role.QUERY: folders["allenai/specter2"]})
    with pytest.raises(ModelError, match="the adapter does not change"):
        encode(encoder_of(spec), Role.QUERY)


def test_an_adapter_file_that_lacks_tensors_is_an_error(
    folders: dict[str, Path], tmp_path: Path
) -> None:
    partial = save_adapter(tmp_path / "partial", seed=1)
    tensors = torch.load(partial / "pytorch_adapter.bin", weights_only=True)
    kept = {key: value for key, value in tensors.items() if ".layer.1." not in key}
    torch.save(kept, partial / "pytorch_adapter.bin")
    spec = spec_of(folders["allenai/specter2_base"], {Role.QUERY: partial})
    with pytest.raises(ModelError, match="4 tensors too few fit the adapter's 8"):
        encode(encoder_of(spec), Role.QUERY)


def test_an_adapter_file_that_is_damaged_is_an_error(
    folders: dict[str, Path], tmp_path: Path
) -> None:
    broken = save_adapter(tmp_path / "broken", seed=1)
    (broken / "pytorch_adapter.bin").write_bytes(b"not a checkpoint")
    spec = spec_of(folders["allenai/specter2_base"], {Role.QUERY: broken})
    with pytest.raises(ModelError, match=r"adapter .*broken: the adapter cannot be loaded"):
        encode(encoder_of(spec), Role.QUERY)


def test_pickles_with_code_are_refused(tmp_path: Path) -> None:
    class Harmful:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return (Path.touch, (str(tmp_path / "ran"),))

    base = save_base(tmp_path / "base")
    torch.save({"embeddings.word_embeddings.weight": Harmful()}, base / "pytorch_model.bin")
    with pytest.raises(ModelError, match="the model cannot be loaded"):
        encode(encoder_of(spec_of(base)), Role.QUERY)
    assert not (tmp_path / "ran").exists()


def test_a_checkpoint_that_does_not_fill_the_model_is_an_error(tmp_path: Path) -> None:
    base = save_base(tmp_path / "base")
    tensors = torch.load(base / "pytorch_model.bin", weights_only=True)
    kept = {key: value for key, value in tensors.items() if "layer.1.attention" not in key}
    torch.save(kept, base / "pytorch_model.bin")
    with pytest.raises(ModelError, match="10 tensors are missing"):
        encode(encoder_of(spec_of(base)), Role.QUERY)


def test_a_checkpoint_without_pooler_is_none(tmp_path: Path) -> None:
    base = save_base(tmp_path / "base")
    before = encode(encoder_of(spec_of(base)), Role.QUERY)
    tensors = torch.load(base / "pytorch_model.bin", weights_only=True)
    kept = {key: value for key, value in tensors.items() if "pooler" not in key}
    torch.save(kept, base / "pytorch_model.bin")
    np.testing.assert_array_equal(encode(encoder_of(spec_of(base)), Role.QUERY), before)


def test_vectors_that_are_not_finite_name_the_document(tmp_path: Path) -> None:
    base = save_base(tmp_path / "base")
    tensors = torch.load(base / "pytorch_model.bin", weights_only=True)
    words = (base / "vocab.txt").read_text().split("\n")
    tensors["embeddings.word_embeddings.weight"][words.index("aspirin")] = float("nan")
    torch.save(tensors, base / "pytorch_model.bin")
    documents = [Document("good", ("coral",)), Document("bad", ("aspirin",))]
    encoder = encoder_of(spec_of(base))
    request = EncodeRequest(Role.QUERY, tuple(documents))
    with (
        open_store(None) as store,
        pytest.raises(ModelError, match=r"document bad: .* holds NaN.* --dtype float32"),
    ):
        embed(encoder, request, store, lambda count: None)


def test_more_tokens_than_positions(tmp_path: Path) -> None:
    base = save_base(tmp_path / "base", positions=64)
    with pytest.raises(ModelError, match=r"at most 64 tokens, not 512\. Use --max-length 64"):
        encode(encoder_of(spec_of(base)), Role.QUERY)


class TestIdentity:
    def details(
        self, spec: TransformerSpec, role: Role = Role.QUERY, **options: object
    ) -> Identity:
        return encoder_of(spec, **options).identity(role)

    def test_is_stable_and_changes_with_each_ingredient(
        self, folders: dict[str, Path], tmp_path: Path
    ) -> None:
        base = Path(shutil.copytree(folders["allenai/specter2_base"], tmp_path / "base"))
        adapter = Path(shutil.copytree(folders["allenai/specter2"], tmp_path / "adapter"))
        plain = spec_of(base, {Role.QUERY: adapter})
        original = self.details(plain)
        assert self.details(plain) == original
        seen = [original.details]

        def expect_new(identity: Identity) -> None:
            assert identity.details not in seen
            seen.append(identity.details)

        expect_new(self.details(plain, dtype="bfloat16"))
        # Float32 numbers and other products: another space all the same.
        expect_new(self.details(plain, dtype="tf32", elsewhere=True))
        assert original.details["dtype"] == "float32"
        expect_new(self.details(spec_of(base, {Role.QUERY: adapter}, max_length=256)))
        expect_new(self.details(spec_of(base, {Role.QUERY: adapter}, pooling="mean")))
        expect_new(self.details(spec_of(base)))
        expect_new(self.details(spec_of(base, control_codes={Role.QUERY: "[QRY]"})))
        expect_new(self.details(spec_of(base, {Role.QUERY: folders["allenai/specter2"]})))
        save_adapter(adapter, seed=77)
        expect_new(self.details(plain))
        save_base(base, seed=78)
        expect_new(self.details(plain))
        (base / "vocab.txt").write_text((base / "vocab.txt").read_text() + "zebra\n")
        expect_new(self.details(plain))

    def test_does_not_depend_on_device_or_batches(self, folders: dict[str, Path]) -> None:
        spec = spec_of(folders["allenai/specter"])
        assert self.details(spec) == self.details(spec, device="cpu,cpu", batch_tokens=5)

    def test_opens_no_model(
        self, folders: dict[str, Path], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def refuse(*arguments: object) -> None:
            raise AssertionError("loaded")

        monkeypatch.setattr("scirepeval_harness.model.replica.load_base", refuse)
        monkeypatch.setattr("scirepeval_harness.model.transformer.load_tokenizer", refuse)
        encoder = encoder_of(spec_of(folders["allenai/specter"]))
        encoder.identity(Role.QUERY)
        assert encoder.text(Document("a", ("T", "A")), Role.QUERY) == "T [SEP] A"
