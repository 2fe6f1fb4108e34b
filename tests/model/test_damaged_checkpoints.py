"""Damaged and hostile files of a checkpoint: one error with place and advice; nothing is run."""

from __future__ import annotations

import json
import os
import random
import shutil
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import torch

import scirepeval_harness
from scirepeval_harness.errors import ModelError
from scirepeval_harness.model.base import EncodeOptions
from scirepeval_harness.model.kinds import TransformerSpec, Weights
from scirepeval_harness.model.transformer import TransformerEncoder
from scirepeval_harness.model.weights import package_folder
from scirepeval_harness.roles import Role
from scirepeval_harness.task.dataset import Document

REPO = "allenai/specter2_base"
DOCUMENTS = [Document("a", ("A title", "An abstract of some words."))]


@pytest.fixture
def folder(folders: dict[str, Path], tmp_path: Path) -> Path:
    return Path(shutil.copytree(folders[REPO], tmp_path / "model"))


def encode(folder: Path) -> Any:
    spec = TransformerSpec(name="m", title="M", base=Weights(path=str(folder)), max_length=16)
    encoder = TransformerEncoder(spec, EncodeOptions(device="cpu", offline=True))
    encoder.identity(Role.PROXIMITY)
    encoder.count_tokens(DOCUMENTS, Role.PROXIMITY)
    return encoder.encode(DOCUMENTS, Role.PROXIMITY, lambda count: None)


def refusal(folder: Path) -> ModelError:
    with pytest.raises(ModelError) as caught:
        encode(folder)
    assert str(folder) in str(caught.value)
    assert caught.value.fix
    assert str(caught.value).isprintable()
    return caught.value


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff\xfe", b'{"a": 1}', 2_000 * b"["])
def test_a_damaged_config(folder: Path, content: bytes) -> None:
    (folder / "config.json").write_bytes(content)
    refusal(folder)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff\xfe", b'{"model": {"type": "x"}}'])
def test_a_damaged_tokenizer(folder: Path, content: bytes) -> None:
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (folder / name).write_bytes(content)
    refusal(folder)


@pytest.mark.parametrize(
    "name", ["config.json", "tokenizer.json", "model.safetensors", "vocab.txt"]
)
def test_cuts_and_flips(folder: Path, name: str) -> None:
    path = next(
        (one for one in (folder / name, folder / "pytorch_model.bin") if one.is_file()), None
    )
    if path is None:
        pytest.skip("the tiny model has no such file")
    whole, draw = path.read_bytes(), random.Random(1)
    for _ in range(6):
        flipped = bytearray(whole)
        flipped[draw.randrange(len(whole))] ^= 1 << draw.randrange(8)
        for content in (whole[: draw.randrange(len(whole))], bytes(flipped)):
            path.write_bytes(content)
            with suppress(ModelError):  # a flip within a number or a word may leave the file whole
                encode(folder)


@pytest.mark.parametrize("key", ["hidden_size", "num_hidden_layers", "vocab_size"])
@pytest.mark.parametrize("value", [-1, 0, 10**30, "768", 1.5, True, [], {}])
def test_sizes_that_no_model_has(folder: Path, key: str, value: object) -> None:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {key: value}))
    assert f"config.json: {key} must be" in str(refusal(folder))


@pytest.mark.parametrize(
    ("key", "value"), [("model_type", []), ("model_type", {}), ("layer_norm_eps", True)]
)
def test_values_of_another_type(folder: Path, key: str, value: object) -> None:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {key: value}))
    assert f"config.json: {key} is" in str(refusal(folder))


@pytest.mark.parametrize("name", ["config.json", "tokenizer.json", "tokenizer_config.json"])
def test_what_the_libraries_would_pass_over(folder: Path, name: str) -> None:
    path = folder / name
    path.write_text('{"a": 1, "a": 2}')
    assert f"{name}: not JSON: the key 'a' stands there twice" in str(refusal(folder))
    path.unlink()
    os.mkfifo(path)
    assert name in str(refusal(folder))


def test_a_token_longer_than_any_text(folder: Path) -> None:
    (folder / "tokenizer_config.json").write_text(json.dumps({"unk_token": "x " * 100_000}))
    assert "tokenizer_config.json: unk_token is 'x x" in str(refusal(folder))


@pytest.mark.parametrize("key", ["_attn_implementation_internal", "_attn_implementation"])
@pytest.mark.parametrize("deep", [False, True])
def test_a_config_that_names_a_kernel_is_refused(folder: Path, key: str, deep: bool) -> None:
    config = json.loads((folder / "config.json").read_text())
    own = {key: "somebody/kernel"}
    (folder / "config.json").write_text(
        json.dumps(config | ({"text_config": own} if deep else own))
    )
    assert f"{key} asks for code to run" in str(refusal(folder))


def test_names_of_transformers_itself_are_taken(folder: Path) -> None:
    before = encode(folder)
    config = json.loads((folder / "config.json").read_text())
    own = {"_attn_implementation_autoset": True, "_attn_implementation": "eager"}
    (folder / "config.json").write_text(json.dumps(config | own))
    assert encode(folder) == pytest.approx(before, abs=1e-4)


def test_code_of_the_folder_is_never_run(folder: Path) -> None:
    before = encode(folder)
    (folder / "evil.py").write_text(f"open({str(folder / 'ran')!r}, 'w')\nclass Evil: ...\n")
    for name, keys in (
        ("config.json", ("AutoConfig", "AutoModel")),
        ("tokenizer_config.json", ("AutoTokenizer",)),
    ):
        content = json.loads((folder / name).read_text()) if (folder / name).is_file() else {}
        content["auto_map"] = {key: "evil.Evil" for key in keys}
        (folder / name).write_text(json.dumps(content))
    # A kind that transformers has itself is loaded without the folder's code ...
    with suppress(ModelError):
        assert encode(folder).tolist() == before.tolist()
    # ... and one that it has not is refused.
    content = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(content | {"model_type": "evil"}))
    refusal(folder)
    assert not (folder / "ran").exists()


@pytest.mark.parametrize(
    "name",
    [
        "bert.encoder.layer.0.output.multi_layers.0.aug_dense.weight",  # PALs
        "encoder.layer.1.output.adapters.x.adapter_down.0.weight",
        "encoder.layer.0.attention.self.query.lora_A.weight",
    ],
)
def test_a_checkpoint_with_more_than_the_model_computes_with_is_refused(
    folder: Path, name: str
) -> None:
    weights = folder / "pytorch_model.bin"
    tensors = torch.load(weights, weights_only=True)
    # Saved from a model with a head, all names begin with the base's.
    prefix = "bert." if name.startswith("bert.") else ""
    named = {f"{prefix}{key}": value for key, value in tensors.items()}
    torch.save(named | {name: torch.ones(2, 2)}, weights)
    said = str(refusal(folder))
    assert "have no place in a BertModel" in said
    assert name.removeprefix("bert.") in said


def test_heads_and_buffers_of_a_checkpoint_are_left_alone(folder: Path) -> None:
    before, weights = encode(folder), folder / "pytorch_model.bin"
    tensors = torch.load(weights, weights_only=True)
    more = ("cls.predictions.bias", "classifier.weight", "embeddings.position_ids", "pooler.x")
    torch.save(tensors | {name: torch.ones(2) for name in more}, weights)
    assert encode(folder).tolist() == before.tolist()


def test_a_fusion_of_adapters_is_refused(folder: Path, tmp_path: Path) -> None:
    fusion = tmp_path / "fusion"
    fusion.mkdir()
    (fusion / "adapter_fusion_config.json").write_text("{}")
    spec = TransformerSpec(
        name="m", title="M", base=Weights(path=str(folder)),
        adapters={Role.PROXIMITY: Weights(path=str(fusion))},
    )  # fmt: skip
    encoder = TransformerEncoder(spec, EncodeOptions(device="cpu", offline=True))
    with pytest.raises(ModelError, match="a fusion of adapters, which is not read here"):
        encoder.identity(Role.PROXIMITY)


@pytest.mark.parametrize("entry", ["", "absolute"])
def test_a_package_of_the_working_folder_is_not_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, entry: str
) -> None:
    package = tmp_path / "some_weights" / "inner"
    package.mkdir(parents=True)
    for place in (package, package.parent):
        (place / "__init__.py").write_text("raise SystemExit('imported')")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path) if entry else "")
    assert package_folder("some_weights") is None
    monkeypatch.chdir("/")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert package_folder("some_weights.inner") == package
    assert package_folder("some_weights.none") is None
    assert package_folder("sys") is None


def test_the_harness_s_own_weights_are_found_in_its_checkout(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    own = Path(scirepeval_harness.__file__).parent
    monkeypatch.chdir(own.parent)
    assert package_folder("scirepeval_harness") == own
