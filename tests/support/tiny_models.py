"""Tiny random models, saved file by file as the hub's repositories of the seed table hold them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path

import torch
from transformers import BertConfig, BertModel, BertTokenizerFast

HIDDEN, LAYERS, REDUCTION = 32, 2, 16
SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
CODES = ("[CLF]", "[RGN]", "[PRX]", "[QRY]")
LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789.,;:!?()-'"
TEXTS = (
    "We study graph neural networks for citation recommendation in the sciences.",
    "A randomised trial of aspirin against placebo after myocardial infarction.",
    "Coral reefs and ocean warming: a review of bleaching events since 1998.",
)

BASES = {
    "allenai/specter": (),
    "allenai/scibert_scivocab_uncased": (),
    "malteos/scincl": (
        "allenai/scirepeval_adapters_clf",
        "allenai/scirepeval_adapters_rgn",
        "allenai/scirepeval_adapters_prx",
        "allenai/scirepeval_adapters_qry",
    ),
    "allenai/specter2_base": (
        "allenai/specter2_classification",
        "allenai/specter2_regression",
        "allenai/specter2",
        "allenai/specter2_adhoc_query",
    ),
    "allenai/specter2_aug2023refresh_base": (
        "allenai/specter2_aug2023refresh_classification",
        "allenai/specter2_aug2023refresh_regression",
        "allenai/specter2_aug2023refresh",
        "allenai/specter2_aug2023refresh_adhoc_query",
    ),
    "allenai/scirepeval_ctrl": (),
}
"""Base repositories of the seed table with their adapters, in the order of CODES."""


def vocabulary(texts: Iterable[str]) -> list[str]:
    """A WordPiece vocabulary: special tokens, letters and their continuations, words of texts."""
    words = {word.strip(".,;:!?()") for text in texts for word in text.lower().split()}
    pieces = [*LETTERS, *(f"##{letter}" for letter in LETTERS)]
    return [*SPECIAL, *pieces, *sorted(words - set(pieces) - {""})]


def save_base(
    folder: Path,
    *,
    seed: int = 0,
    texts: Sequence[str] = TEXTS,
    codes: Sequence[str] = (),
    vocabulary_only: bool = False,
    positions: int = 512,
) -> Path:
    """A BERT of two layers as config.json, pytorch_model.bin and tokenizer files.

    Args:
        codes: control codes to add to the tokenizer as special tokens.
        vocabulary_only: leave all tokenizer files but vocab.txt away, as old repositories do.
    """
    folder.mkdir(parents=True, exist_ok=True)
    words = vocabulary(texts)
    (folder / "vocab.txt").write_text("\n".join(words) + "\n", encoding="utf-8")
    if not vocabulary_only:
        # From the folder: transformers 5 takes no vocabulary's path, and says nothing of it.
        tokenizer = BertTokenizerFast.from_pretrained(
            str(folder), do_lower_case=True, model_max_length=512
        )
        if codes:
            tokenizer.add_special_tokens({"additional_special_tokens": list(codes)})
        tokenizer.save_pretrained(folder)
    config = BertConfig(
        vocab_size=len(words) + len(codes),
        hidden_size=HIDDEN,
        num_hidden_layers=LAYERS,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=positions,
        initializer_range=0.2,  # large, so that vectors of different texts lie well apart
        architectures=["BertModel"],
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = BertModel(config)
    config.save_pretrained(folder)
    torch.save(model.state_dict(), folder / "pytorch_model.bin")
    return folder


def save_adapter(folder: Path, *, seed: int, name: str = "[PRX]", scale: float = 0.5) -> Path:
    """A bottleneck adapter of the output only, as adapter_config.json and pytorch_adapter.bin.

    Args:
        name: the name inside the files; published ones differ from the role.
        scale: spread of the random weights; 0 makes an adapter that changes nothing.
    """
    folder.mkdir(parents=True, exist_ok=True)
    settings = {
        "config": {
            "adapter_residual_before_ln": False,
            "cross_adapter": False,
            "inv_adapter": None,
            "inv_adapter_reduction_factor": None,
            "leave_out": [],
            "ln_after": False,
            "ln_before": False,
            "mh_adapter": False,
            "non_linearity": "relu",
            "original_ln_after": True,
            "original_ln_before": True,
            "output_adapter": True,
            "reduction_factor": REDUCTION,
            "residual_before_ln": True,
        },
        "hidden_size": HIDDEN,
        "model_class": "BertAdapterModel",
        "model_name": "tiny",
        "model_type": "bert",
        "name": name,
    }
    (folder / "adapter_config.json").write_text(json.dumps(settings, indent=2), encoding="utf-8")
    generator = torch.Generator().manual_seed(seed)
    narrow = HIDDEN // REDUCTION
    shapes = {
        "adapter_down.0.weight": (narrow, HIDDEN),
        "adapter_down.0.bias": (narrow,),
        "adapter_up.weight": (HIDDEN, narrow),
        "adapter_up.bias": (HIDDEN,),
    }
    tensors = {
        f"bert.encoder.layer.{layer}.output.adapters.{name}.{part}": scale
        * torch.randn(shape, generator=generator)
        for layer in range(LAYERS)
        for part, shape in shapes.items()
    }
    torch.save(tensors, folder / "pytorch_adapter.bin")
    return folder


def build_hub_models(
    root: Path, *, texts: Sequence[str] = TEXTS, revision: str = "main"
) -> dict[str, Path]:
    """Every repository of the seed table below ``root/models/<org>/<name>/<revision>/``.

    Returns:
        The folder of each repository, by its name.
    """
    folders: dict[str, Path] = {}
    for seed, (base, adapters) in enumerate(BASES.items()):
        folders[base] = save_base(
            root / "models" / base / revision,
            seed=seed,
            texts=texts,
            codes=CODES if base == "allenai/scirepeval_ctrl" else (),
            vocabulary_only=base == "allenai/scibert_scivocab_uncased",
        )
        for number, (adapter, name) in enumerate(zip(adapters, CODES, strict=False)):
            folders[adapter] = save_adapter(
                root / "models" / adapter / revision, seed=100 * seed + number, name=name
            )
    return folders
