"""Tiny folders of sentence-transformers, made by the library itself."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import (
    Dense,
    Normalize,
    Pooling,
    Router,
    StaticEmbedding,
    Transformer,
)
from tokenizers import Tokenizer

from tests.support.tiny_models import HIDDEN, save_base

PROMPTS = {"query": "query: ", "document": "passage: "}


def save_modules(
    folder: Path,
    *,
    pooling: str = "mean",
    include_prompt: bool = True,
    prompts: dict[str, str] | None = None,
    kind: str = "dense",
) -> Path:
    """A folder with ``modules.json``.

    Args:
        kind: ``dense`` (Transformer, Pooling, Dense, Normalize), ``plain`` (without Dense),
            ``router`` (a static query side, a transformer for documents), ``static``, or ``bare``
            (the same without Normalize).
    """
    base = save_base(folder.parent / f"{folder.name}-base", positions=64)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        reader = Transformer(str(base), max_seq_length=32)
        pool = Pooling(HIDDEN, pooling_mode=pooling, include_prompt=include_prompt)
        static = StaticEmbedding(
            Tokenizer.from_file(str(base / "tokenizer.json")), embedding_dim=HIDDEN
        )
        modules = {
            "plain": [reader, pool, Normalize()],
            "dense": [reader, pool, Dense(HIDDEN, 12), Normalize()],
            "router": [Router.for_query_document([static], [reader, pool])],
            "static": [static, Normalize()],
            "bare": [static],
        }[kind]
        SentenceTransformer(modules=modules, device="cpu").save(str(folder))
    settings = folder / "config_sentence_transformers.json"
    values = json.loads(settings.read_text(encoding="utf-8"))
    values["prompts"] = {} if prompts is None else prompts
    settings.write_text(json.dumps(values), encoding="utf-8")
    return folder
