"""What a reader of a page has beside it: models, vectors, results, a server."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from tests.support.endpoint_server import serve
from tests.support.pages import ROOT

SAMPLE = ROOT / "tasks" / "sample" / "data"
BASELINES = ROOT / "results" / "baselines" / "sample"
ROLES = ("classification", "regression", "proximity", "query")


@contextmanager
def prepare(page: str, folder: Path) -> Iterator[dict[str, str]]:
    """Put into the folder what the page speaks of, while inside the context.

    Yields:
        Words of the page and what stands for them here (the address of a server, say).
    """
    if page in FOLDERS:
        FOLDERS[page](folder)
    if page != "models.md":
        yield {}
        return
    with serve() as server:
        yield {"http://127.0.0.1:8080/v1": server.url}


def models(folder: Path) -> None:
    """A checkpoint, adapters, a decoder and the folders of two libraries, all tiny and random."""
    from tests.support.tiny_decoder import save_decoder
    from tests.support.tiny_models import save_adapter, save_base
    from tests.support.tiny_modules import save_modules

    save_base(folder / "checkpoint")
    save_base(folder / "base")
    for seed, role in enumerate(ROLES):
        save_adapter(folder / "adapters" / role, seed=seed)
    save_modules(folder / "st-model", kind="plain")
    save_decoder(folder / "decoder", positions=512)
    _model2vec(folder / "model2vec", folder / "base")
    shutil.copy(SAMPLE / "topics" / "meta.jsonl", folder / "papers.jsonl")


def _model2vec(folder: Path, base: Path) -> None:
    from safetensors.numpy import save_file
    from tokenizers import Tokenizer

    folder.mkdir()
    shutil.copy(base / "tokenizer.json", folder)
    size = Tokenizer.from_file(str(base / "tokenizer.json")).get_vocab_size()
    table = np.random.default_rng(0).standard_normal((size, 16)).astype("float32")
    save_file({"embeddings": table}, folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps({"model_type": "model2vec", "normalize": True}))


def baselines(folder: Path) -> None:
    """The results that a checkout holds, where a checkout has them."""
    shutil.copytree(BASELINES, folder / "results" / "baselines" / "sample")


def released(folder: Path) -> None:
    """A model that is out, another that may follow it, and a policy."""
    from tests.support.tiny_models import save_base

    for place in ("results/released", "baselines/released"):
        shutil.copytree(BASELINES / "tfidf", folder / place)
    for place in ("results/new", "results/new-model"):
        shutil.copytree(BASELINES / "minilm", folder / place)
    (folder / "gate.toml").write_text("[tolerance]\nranking = 0.5\n", encoding="utf-8")
    _model2vec(folder / "model", save_base(folder / "base"))


def pools(folder: Path) -> None:
    """A folder that may be called MDCR's."""
    for path in (SAMPLE / "pools").iterdir():
        shutil.copy(path, folder)


FOLDERS: dict[str, Callable[[Path], None]] = {
    "models.md": models,
    "training.md": models,
    "leaderboard.md": baselines,
    "README.md": baselines,
    "ci.md": released,
    "whole-row.md": pools,
}
