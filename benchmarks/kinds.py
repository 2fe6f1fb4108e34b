"""Every kind of model with real weights: its scores, and how far its vectors lie from those of a
plain way.

Each row runs the sample's tasks (or those of ``--tasks-dir``) through ``sh.evaluate`` as a user
does, and encodes ``--documents`` texts twice: as the harness does, and in a way that shares no code
with that path (the library's ``encode``, a loop over single texts, the other reader of adapters).
Columns of tasks hold the first score of each.

    python benchmarks/kinds.py --task sample-search --task sample-year
    python benchmarks/kinds.py --tasks-dir REAL --data REAL --task cranfield
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
from support import ROOT, minilm_folder, parser, show, write

import scirepeval_harness as sh
from scirepeval_harness.evaluations.base import requests_of
from scirepeval_harness.model.base import EncodeOptions, Encoder, build_model
from scirepeval_harness.model.kinds import TransformerSpec
from scirepeval_harness.model.registry import load_models, resolve_model
from scirepeval_harness.model.transformer import TransformerEncoder
from scirepeval_harness.roles import Role
from scirepeval_harness.task.dataset import Document
from scirepeval_harness.task.load import DataOptions, load_task
from scirepeval_harness.task.registry import load_registry

sys.path.insert(0, str(ROOT))
from tests.support.endpoint_server import serve
from tests.support.tiny_decoder import save_decoder

Vectors = np.ndarray
OPTIONS = EncodeOptions(device="cpu")
ROLE = Role.PROXIMITY


@dataclass(frozen=True)
class Kind:
    """A row: what is evaluated, what its vectors are held to, and the plain way to them."""

    name: str
    model: Any
    beside: str
    plain: Callable[[list[Document]], Vectors]


def encoded(model: Any, documents: Sequence[Document]) -> Vectors:
    """Vectors (documents, dimensions) as a run has them."""
    encoder = model if hasattr(model, "identity") else build_model(resolve_model(model), OPTIONS)
    return cast(Encoder, encoder).encode(documents, ROLE, lambda count: None)


def one_by_one(folder: Path, pooling: str, separator: str) -> Callable[[list[Document]], Vectors]:
    """transformers alone: a text at a time, without padding."""
    import torch
    from transformers import AutoModel, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModel.from_pretrained(folder).eval()

    def run(documents: list[Document]) -> Vectors:
        rows = []
        for document in documents:
            inputs = tokenizer(
                separator.join(document.parts), truncation=True, max_length=256,
                return_tensors="pt", return_token_type_ids=False,
            )  # fmt: skip
            with torch.inference_mode():
                states = model(**inputs).last_hidden_state[0]
            rows.append((states[-1] if pooling == "last" else states.mean(0)).numpy())
        return np.stack(rows)

    return run


def library(folder: Path, separator: str = " ") -> Callable[[list[Document]], Vectors]:
    """``SentenceTransformer.encode`` of a folder."""
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(str(folder), device="cpu")
    return lambda documents: model.encode(
        [separator.join(one.parts) for one in documents], show_progress_bar=False
    )


def static_mean(documents: list[Document]) -> Vectors:
    """Means of wordllama's table, a text at a time in float64."""
    import wordllama
    from safetensors.numpy import load_file
    from tokenizers import Tokenizer

    spec, folder = cast(Any, resolve_model("wordllama")), Path(wordllama.__file__).parent
    table = load_file(folder / spec.vectors)["embedding.weight"].astype(np.float64)
    tokenizer = Tokenizer.from_file(str(folder / spec.tokenizer))
    texts = [" ".join(one.parts) for one in documents]
    return np.stack(
        [table[tokenizer.encode(text, add_special_tokens=False).ids].mean(0) for text in texts]
    )


def kinds(folder: Path, stack: ExitStack) -> Iterator[Kind]:
    """The rows; files and servers live as long as ``stack``."""
    from sentence_transformers import SentenceTransformer

    weights = minilm_folder()
    plain = build_model(resolve_model("minilm"), OPTIONS)
    yield Kind("MiniLM", "minilm", "a loop over texts", one_by_one(weights, "mean", " [SEP] "))
    yield Kind("its sentence-transformers folder", weights, "the library", library(weights))
    yield Kind(
        "the same as an object", SentenceTransformer(str(weights), device="cpu"), "the library",
        library(weights),
    )  # fmt: skip

    lock = threading.Lock()

    def answer(texts: list[str]) -> list[list[float]]:
        with lock:
            return encoded(plain, [Document(str(n), (t,)) for n, t in enumerate(texts)]).tolist()

    server = stack.enter_context(serve(answer))
    served = folder / "served.toml"
    served.write_text(
        'name = "served"\ntitle = "served"\nkind = "endpoint"\nmodel = "m"\n'
        f'url = "{server.url}"\nseparator = " [SEP] "\n'
    )
    yield Kind("through an endpoint", served, "MiniLM", lambda texts: encoded(plain, texts))
    merged = folder / "merged"
    sh.export_merged("minilm-adapters", "proximity", merged)
    joined = folder / "merged.toml"
    joined.write_text(
        'name = "merged"\ntitle = "merged"\nkind = "sentence_transformers"\n'
        f'base = {{ path = "{merged}" }}\n'
        '[prompts]\ndocument = "{title} [SEP] {abstract}"\n'
    )
    yield Kind("merged, one role", joined, "the library", library(merged, " [SEP] "))
    yield Kind("wordllama", "wordllama", "a loop over texts", static_mean)
    both = folder / "both.toml"
    both.write_text(
        'name = "both"\ntitle = "both"\nkind = "ensemble"\nmembers = ["minilm", "wordllama"]\n'
        'combine = "concatenate"\n'
    )

    def side_by_side(documents: list[Document]) -> Vectors:
        each = [encoded(name, documents) for name in ("minilm", "wordllama")]
        return np.hstack([one / np.linalg.norm(one, axis=1, keepdims=True) for one in each])

    yield Kind("ensemble of both", both, "numpy on the members'", side_by_side)
    decoder = save_decoder(folder / "decoder", positions=512)
    last = folder / "decoder.toml"
    last.write_text(
        'name = "decoder"\ntitle = "decoder"\nkind = "transformer"\npooling = "last"\n'
        f'max_length = 256\nbase = {{ path = "{decoder}" }}\n'
    )
    yield Kind(
        "a tiny random Qwen3", last, "a loop over texts", one_by_one(decoder, "last", " [SEP] ")
    )
    adapters = cast(TransformerSpec, load_models()["minilm-adapters"])
    other = TransformerEncoder(adapters, OPTIONS, reader="own")
    yield Kind(
        "MiniLM and adapters, by their library", "minilm-adapters", "the harness's own reader",
        lambda texts: encoded(other, texts),
    )  # fmt: skip


def texts_of(chosen: argparse.Namespace) -> list[Document]:
    """Documents with title and abstract of the first task that has them, an even sample."""
    registry = load_registry([Path(chosen.tasks_dir)] if chosen.tasks_dir else [])
    task = registry.task(chosen.task[0])
    data = load_task(task, registry.home(task.name), DataOptions(directory=chosen.data))
    found = [one for part in requests_of(task, data.data) for one in part.documents]
    found = [Document(one.id, one.parts[:2]) for one in found if len(one.parts) > 1]
    return found[:: max(1, len(found) // chosen.documents)][: chosen.documents]


def main() -> None:
    options = parser(__doc__)
    options.add_argument("--task", action="append", required=True)
    options.add_argument("--tasks-dir", help="as in run; default: the sample")
    options.add_argument("--data", type=Path, help="as in run")
    options.add_argument("--documents", type=int, default=64)
    options.add_argument("--limit", type=int, help="as in run")
    options.add_argument("--kind", action="append", help="only rows whose name holds this")
    chosen = options.parse_args()
    suite = None if chosen.tasks_dir else "sample"
    where: dict[str, Any] = {"suite": suite, "tasks": chosen.task, "data": chosen.data}
    if chosen.tasks_dir:
        where["tasks_dirs"] = [chosen.tasks_dir]
    documents = texts_of(chosen)
    rows = []
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        for kind in kinds(Path(name), stack):
            if chosen.kind and not any(word in kind.name for word in chosen.kind):
                continue
            mine, other = encoded(kind.model, documents), kind.plain(documents)
            results = sh.evaluate(
                {"row": kind.model}, cache=Path(name) / "cache", limit=chosen.limit,
                device="cpu", probe="exact", **where,
            )  # fmt: skip
            scores = results["row"].tasks
            rows.append(
                {"kind": kind.name, "beside": kind.beside,
                 "largest difference": f"{np.abs(mine - other).max():.1e}",
                 "largest value": f"{np.abs(other).max():.2g}",
                 **{task: f"{scores[task].scores[0].value:.2f}" for task in chosen.task}}
            )  # fmt: skip
            show(f"{len(documents)} texts", rows[-1:])
    show(f"{len(documents)} texts, float32, cpu", rows)
    write(chosen, rows)


if __name__ == "__main__":
    main()
