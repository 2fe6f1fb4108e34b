"""A tiny random decoder in Qwen3's form, and a tokenizer without a separator."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from transformers import PreTrainedTokenizerFast, Qwen3Config, Qwen3Model

from tests.support.tiny_models import TEXTS, save_base


def save_tokenizer(base: Path, folder: Path) -> None:
    """Words of the tiny BERT's, with an end of a sequence and no separator, padded on the left."""
    from tokenizers.processors import TemplateProcessing

    words = PreTrainedTokenizerFast(tokenizer_file=str(base / "tokenizer.json"))
    backend = words.backend_tokenizer
    end = backend.token_to_id("[SEP]")
    backend.post_processor = TemplateProcessing(single="$A [SEP]", special_tokens=[("[SEP]", end)])
    PreTrainedTokenizerFast(
        tokenizer_object=backend, eos_token="[SEP]", pad_token="[PAD]", padding_side="left"
    ).save_pretrained(folder)


def save_decoder(folder: Path, *, texts: Sequence[str] = TEXTS, positions: int = 128) -> Path:
    """Two layers, 32 dimensions, and a tokenizer; beside it a BERT with the words of ``texts``."""
    base = save_base(folder.parent / f"{folder.name}-base", texts=texts)
    size = len((base / "vocab.txt").read_text(encoding="utf-8").splitlines())
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        decoder = Qwen3Model(
            Qwen3Config(
                vocab_size=size, hidden_size=32, intermediate_size=64, num_hidden_layers=2,
                num_attention_heads=2, num_key_value_heads=1, head_dim=16, initializer_range=0.3,
                max_position_embeddings=positions,
            )
        )  # fmt: skip
    decoder.save_pretrained(folder)
    save_tokenizer(base, folder)
    return folder
