"""One role of a model as a plain folder that sentence-transformers loads, without any code of ours.

The bottlenecks of an adapter cannot be merged into the weights of a BERT: a non-linearity stands
between their two projections. But transformers has an architecture that holds such bottlenecks,
X-MOD, made for one adapter a language; with ``adapter_reuse_layer_norm`` and without
``ln_before_adapter`` a layer of it computes, with z the feed-forward output plus its input,

    LayerNorm(z + up(act(down(LayerNorm(z)))))

which is the published kind of adapter (``seq_bn``). Two differences remain, and both go into the
weights:

- X-MOD counts positions from the padding id + 1 on, so the table of positions gets as many rows
  more in front.
- Its bottleneck has the activation of the feed-forward block, GELU, where the adapters have ReLU.
  With k a large power of two, gelu(k t) / k is relu(t) but for at most 0.17 / k, so ``down`` is
  multiplied and ``up`` divided by k = 2^24, which changes no digit of a float32 or bfloat16. In
  float16 k t overflows: the folder says so.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
import transformers

from scirepeval_harness.errors import ModelError
from scirepeval_harness.files import write_json, write_text
from scirepeval_harness.model.bottleneck import (
    Bottleneck,
    BottleneckConfig,
    adapted_blocks,
    add_adapter,
    add_adapter_support,
    read_config,
)
from scirepeval_harness.model.kinds import Pooling, TransformerSpec
from scirepeval_harness.model.replica import load_base
from scirepeval_harness.model.spec import ModelSpec
from scirepeval_harness.model.transformer import load_tokenizer
from scirepeval_harness.model.weights import locate
from scirepeval_harness.roles import Role

STEEPNESS = 2.0**24
"""k above: with it the error, 1e-8, is below what float32 can tell apart at 1."""
BASES = frozenset({"bert", "roberta", "xlm-roberta"})
POOLINGS = {"cls": "pooling_mode_cls_token", "mean": "pooling_mode_mean_tokens"}
COPIED = (
    "vocab_size",
    "hidden_size",
    "num_hidden_layers",
    "num_attention_heads",
    "intermediate_size",
    "hidden_act",
    "hidden_dropout_prob",
    "attention_probs_dropout_prob",
    "type_vocab_size",
    "layer_norm_eps",
    "pad_token_id",
)


def export_merged(spec: ModelSpec, role: Role, folder: Path, *, offline: bool = False) -> None:
    """Write base and adapter of one role as a folder for ``SentenceTransformer(folder)``.

    The vectors equal those of the harness for the same text (title and abstract joined by the
    separator token) to float32's rounding. The folder needs sentence-transformers or transformers,
    and neither this package nor remote code.

    Raises:
        ModelError: the folder is not empty, or base, adapter or pooling are of a kind that the
            form cannot express; the message says which.
        OfflineError, StorageError, MissingExtraError: see :func:`~.weights.locate`.
    """
    where = f"model {spec.name}, {role}"
    if not isinstance(spec, TransformerSpec) or role in spec.control_codes:
        raise _inexpressible("a model without a transformer, or with control codes", where)
    if spec.pooling not in POOLINGS:
        raise _inexpressible(f"pooling {spec.pooling}", where)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ModelError("there is something already", where=str(folder), fix="Choose a new folder")
    place = locate(spec.base, "base", spec, offline=offline).folder
    base = load_base(place, where)
    if role in spec.adapters:
        adapter = locate(spec.adapters[role], "adapter", spec, offline=offline).folder
        config = read_config(adapter, where)
        check_expressible(base.config, config, where)
        add_adapter_support(base, where)
        add_adapter(base, adapter, role.value, f"{where}, adapter {adapter}")
        base = as_xmod(base, role.value, config)
    folder.mkdir(parents=True, exist_ok=True)
    base.save_pretrained(folder, safe_serialization=True)
    _save_tokenizer(place, folder, spec.max_length)
    _save_modules(folder, spec.pooling, int(base.config.hidden_size), spec.max_length)
    write_text(folder / "README.md", _readme(spec, role))


def check_expressible(base: Any, adapter: BottleneckConfig, where: str) -> None:
    """Raises ModelError where X-MOD cannot compute what base and adapter compute.

    Args:
        base: the base model's transformers config.
    """
    if base.model_type not in BASES:
        raise _inexpressible(f"a base of type {base.model_type}", where)
    if getattr(base, "position_embedding_type", None) not in (None, "absolute"):
        raise _inexpressible(f"positions of type {base.position_embedding_type}", where)
    wanted = {
        "mh_adapter": False,
        "is_parallel": False,
        "original_ln_before": True,
        "original_ln_after": True,
        "residual_before_ln": True,
        "ln_before": False,
        "ln_after": False,
    }
    for name, value in wanted.items():
        if getattr(adapter, name) != value:
            raise _inexpressible(f"an adapter with {name}={getattr(adapter, name)}", where)
    if adapter.non_linearity != base.hidden_act and not _is_relu_in_gelu(base, adapter):
        raise _inexpressible(f"{adapter.non_linearity} beside the base's {base.hidden_act}", where)


def as_xmod(base: Any, name: str, adapter: BottleneckConfig) -> Any:
    """The same function as an X-MOD model whose one language is the adapter.

    Args:
        base: a model that holds one adapter and passed :func:`check_expressible`.
    """
    parts: list[Bottleneck | None] = [None] * len(base.encoder.layer)
    tensors = base.state_dict()
    for number, layer in enumerate(base.encoder.layer):
        if layer.output in list(adapted_blocks(layer)):
            parts[number] = layer.output.adapters[name]
    width = max(part.adapter_up.in_features for part in parts if part is not None)
    # The width is given by a whole number that it divides into: the next wider one there is.
    factor = max(1, base.config.hidden_size // width)
    skipped = base.config.pad_token_id + 1 if base.config.model_type == "bert" else 0
    library: Any = transformers
    config = library.XmodConfig(
        **{key: getattr(base.config, key) for key in COPIED},
        max_position_embeddings=base.config.max_position_embeddings + skipped,
        adapter_reduction_factor=factor,
        adapter_layer_norm=False,
        adapter_reuse_layer_norm=True,
        ln_before_adapter=False,
        pre_norm=False,
        languages=[name],
        default_language=name,
    )
    model = library.XmodModel(config).eval()
    # Without adapters the two architectures have the same tensors under the same names.
    plain = {
        key.replace(".block.", "."): tensor
        for key, tensor in tensors.items()
        if ".adapters." not in key
    }
    positions = "embeddings.position_embeddings.weight"
    plain[positions] = torch.nn.functional.pad(plain[positions], (0, 0, skipped, 0))
    steep = STEEPNESS if _is_relu_in_gelu(base.config, adapter) else 1.0
    for number, part in enumerate(parts):
        for key, tensor in _one_language(part, config, steep).items():
            plain[f"encoder.layer.{number}.output.adapter_modules.{name}.{key}"] = tensor
    known = model.state_dict()
    # A base without a pooler keeps the new model's, which no vector depends on.
    missing = [key for key in known if key not in plain and not key.startswith("pooler.")]
    assert not missing, missing
    model.load_state_dict({**known, **{key: plain[key] for key in known if key in plain}})
    return model


def _one_language(part: Bottleneck | None, config: Any, steep: float) -> dict[str, torch.Tensor]:
    """Tensors of X-MOD's bottleneck in a layer; zeros where the adapter leaves the layer out."""
    hidden = config.hidden_size
    width = hidden // config.adapter_reduction_factor
    out = {
        "dense1.weight": torch.zeros(width, hidden),
        "dense1.bias": torch.zeros(width),
        "dense2.weight": torch.zeros(hidden, width),
        "dense2.bias": torch.zeros(hidden),
    }
    if part is None:
        return out
    down: Any = part.adapter_down[0]
    narrow = down.out_features
    scaling = torch.as_tensor(part.scaling).detach()
    with torch.no_grad():
        out["dense1.weight"][:narrow] = down.weight * steep
        out["dense1.bias"][:narrow] = down.bias * steep
        # A factor for each dimension scales rows of the projection up.
        out["dense2.weight"][:, :narrow] = part.adapter_up.weight / steep * scaling.reshape(-1, 1)
        out["dense2.bias"][:] = part.adapter_up.bias * scaling
    return out


def _is_relu_in_gelu(base: Any, adapter: BottleneckConfig) -> bool:
    return adapter.non_linearity == "relu" and base.hidden_act == "gelu"


def _inexpressible(what: str, where: str) -> ModelError:
    return ModelError(
        f"{what} cannot be written as a plain folder",
        where=where,
        fix="Export roles with a seq_bn adapter on a BERT or RoBERTa, or without an adapter",
    )


def _save_tokenizer(place: Path, folder: Path, max_length: int) -> None:
    tokenizer = load_tokenizer(place)
    tokenizer.model_max_length = max_length
    tokenizer.save_pretrained(folder)


def _save_modules(folder: Path, pooling: Pooling, dimensions: int, max_length: int) -> None:
    """What tells sentence-transformers that the folder is a transformer and a pooling."""
    library = "sentence_transformers.models"
    write_json(
        folder / "modules.json",
        [
            {"idx": 0, "name": "0", "path": "", "type": f"{library}.Transformer"},
            {"idx": 1, "name": "1", "path": "1_Pooling", "type": f"{library}.Pooling"},
        ],
    )
    write_json(
        folder / "sentence_bert_config.json",
        {"max_seq_length": max_length, "do_lower_case": False},
    )
    modes = {mode: pooling == name for name, mode in POOLINGS.items()}
    others = {"pooling_mode_max_tokens": False, "pooling_mode_mean_sqrt_len_tokens": False}
    write_json(
        folder / "1_Pooling" / "config.json",
        {"word_embedding_dimension": dimensions, **modes, **others},
    )


def _readme(spec: TransformerSpec, role: Role) -> str:
    return f"""# {spec.title}, {role.value}

Base: {spec.base.location}. {spec.use_of(role)}.
One role of the model as a plain folder, loaded with `SentenceTransformer(folder)`.

- Encode title and abstract joined by the separator token with a space on each side, such as
  `title + " [SEP] " + abstract`; the scores were made so.
- Vectors are not scaled to length 1.
- float32 and bfloat16 only: the adapter's ReLU is written as a steep GELU, which overflows in
  float16.
"""
