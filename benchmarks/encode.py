"""Encoding speed: the engine against a plain loop, with a BERT-base-sized random model + adapter.

The plain side is written here and stands for the public way: documents in file order, batches of 32
padded to the longest, float32, vectors as JSON lines. The harness's side is what a run does: token
counts, batches by token budget, vectors into the store. Both read the same texts and load the same
weights; loading is not timed. A second table holds a folder with modules.json (MiniLM's), read by
sentence-transformers, to the same weights read by config.json: at most 5% more time.

    python benchmarks/encode.py --documents 300
    python benchmarks/encode.py --device cuda:0 --documents 20000
"""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
from support import (
    Timed,
    add_data,
    interleaved,
    minilm_folder,
    parser,
    read_texts,
    save_model,
    show,
    write,
)

from scirepeval_harness.model.base import EncodeOptions, build_model
from scirepeval_harness.model.devices import choose_precision
from scirepeval_harness.model.engine import EncodeStats
from scirepeval_harness.model.kinds import TransformerSpec
from scirepeval_harness.model.registry import resolve_model
from scirepeval_harness.model.spec import ModelSpec
from scirepeval_harness.model.token_encoder import TokenEncoder
from scirepeval_harness.roles import Role
from scirepeval_harness.task.dataset import Document, EncodeRequest
from scirepeval_harness.vectors.encode import embed
from scirepeval_harness.vectors.store import EmbeddingStore

BATCH = 32
GOALS = {"cpu": {"float32": 1.8, "bfloat16": 5.0}, "cuda": {"bfloat16": 20.0}}
PARAMETERS = 12 * (4 * 768 * 768 + 2 * 768 * 3072)
"""Weights of the matrix products of one token's way through the twelve layers."""


class Plain:
    """The plain loop, on the same device."""

    def __init__(self, folder: Path, device: str) -> None:
        import adapters
        import torch
        from transformers import AutoModel, AutoTokenizer

        self.device = torch.device(device)
        self.tokenizer = AutoTokenizer.from_pretrained(folder / "base")
        self.model = AutoModel.from_pretrained(folder / "base")
        adapters.init(self.model)
        self.model.load_adapter(str(folder / "proximity"), load_as="proximity", set_active=True)
        self.model.to(self.device).eval()
        self.padded = 0

    def run(self, documents: Sequence[Document], path: Path) -> np.ndarray:
        """Encode and write; the vectors (documents, 768)."""
        import torch

        made = []
        self.padded = 0
        with path.open("w", encoding="utf-8") as out, torch.no_grad():
            for start in range(0, len(documents), BATCH):
                part = documents[start : start + BATCH]
                texts = [" [SEP] ".join(item.parts) for item in part]
                inputs = self.tokenizer(
                    texts, padding=True, truncation=True, max_length=512, return_tensors="pt",
                    return_token_type_ids=False,
                ).to(self.device)  # fmt: skip
                self.padded += inputs["input_ids"].numel()
                vectors = self.model(**inputs).last_hidden_state[:, 0].cpu().numpy()
                for item, vector in zip(part, vectors, strict=True):
                    out.write(json.dumps({"doc_id": item.id, "embedding": vector.tolist()}) + "\n")
                made.append(vectors)
        return np.concatenate(made)


class Engine:
    """What a run does, into a store that is thrown away."""

    def __init__(self, spec: ModelSpec, device: str, precision: str, budget: int | None) -> None:
        options = EncodeOptions(device=device, dtype=precision, batch_tokens=budget)
        self.encoder = cast(TokenEncoder[Any], build_model(spec, options))

    def run(self, documents: Sequence[Document], folder: Path) -> np.ndarray:
        """Encode and store; the vectors (documents, 768)."""
        shutil.rmtree(folder, ignore_errors=True)
        store = EmbeddingStore(folder)
        done = embed(self.encoder, EncodeRequest(Role.PROXIMITY, tuple(documents)), store)
        store.close()
        return done.take([item.id for item in documents])


def random_spec(folder: Path) -> TransformerSpec:
    """The random base with its adapter."""
    return TransformerSpec.model_validate(
        {"name": "random", "title": "random", "kind": "transformer",
         "base": {"path": str(folder / "base")},
         "adapters": {"proximity": {"path": str(folder / "proximity")}}}
    )  # fmt: skip


def library_rows(chosen: argparse.Namespace, documents: Sequence[Document]) -> list[dict[str, Any]]:
    """MiniLM's folder read by config.json and by modules.json: time and largest difference."""
    weights = minilm_folder()
    # One part each: the two ways join title and abstract by other words, and shall have one text.
    documents = [Document(one.id, (" ".join(one.parts),)) for one in documents]
    specs = {
        "plain": resolve_model(str(weights), pooling="mean", max_length=256, normalize=True),
        "sentence-transformers": resolve_model(str(weights)),
    }
    engines = {
        name: Engine(spec, chosen.device, "float32", chosen.batch_tokens)
        for name, spec in specs.items()
    }
    with tempfile.TemporaryDirectory() as folder:
        for engine in engines.values():
            engine.run(documents[:2], Path(folder))  # loads weights
        timed = interleaved(
            {name: lambda e=one: e.run(documents, Path(folder)) for name, one in engines.items()},
            chosen.repeats,
        )
    base = timed["plain"]
    rows: list[dict[str, Any]] = []
    for name, one in timed.items():
        rows.append(
            {"way": f"MiniLM, {name}", "seconds": round(min(one.wall), 2),
             "cpu seconds": round(min(one.cpu), 2),
             "to plain": round(min(one.wall) / min(base.wall), 3),
             "cpu to plain": round(min(one.cpu) / min(base.cpu), 3),
             "largest difference": float(np.abs(one.result - base.result).max())}
        )  # fmt: skip
    return rows


def matmul_rate(device: str, precision: str) -> float:
    """Best measured rate of a large matrix product, in operations a second."""
    import torch

    size, dtype = (8_192 if device != "cpu" else 2_048), getattr(torch, precision)
    left, right = (torch.randn(size, size, device=device).to(dtype) for _ in range(2))
    best = float("inf")
    for _ in range(5):
        start = time.perf_counter()
        for _ in range(5):
            left @ right
        if device != "cpu":
            torch.cuda.synchronize(device)
        best = min(best, (time.perf_counter() - start) / 5)
    return 2 * size**3 / best


def operations(lengths: np.ndarray) -> float:
    """Operations that documents of these lengths need: matrix products and attention."""
    attention = 12 * 2 * 2 * 768 * float((lengths.astype(np.float64) ** 2).sum())
    return 2.0 * PARAMETERS * float(lengths.sum()) + attention


def _times(mine: Timed, base: Timed) -> dict[str, object]:
    return {
        "seconds": round(min(mine.wall), 2),
        "cpu seconds": round(min(mine.cpu), 2),
        "ratio": round(min(base.wall) / min(mine.wall), 2),
        "cpu ratio": round(min(base.cpu) / min(mine.cpu), 2),
    }


def _least_cosine(left: np.ndarray, right: np.ndarray) -> float:
    norms = np.linalg.norm(left, axis=1) * np.linalg.norm(right, axis=1)
    return float(((left * right).sum(1) / norms).min())


def main() -> None:
    options = parser(__doc__)
    add_data(options, documents=300)
    options.add_argument("--device", default="cpu")
    options.add_argument("--dtype", help="one precision only; default: float32 and the native one")
    options.add_argument("--batch-tokens", type=int)
    options.add_argument("--minilm-only", action="store_true", help="only the second table")
    chosen = options.parse_args()
    documents = read_texts(chosen.data, chosen.documents)
    beside = library_rows(chosen, documents)
    show(f"MiniLM's folder, {len(documents):,} texts, {chosen.device}", beside)
    if chosen.minilm_only:
        write(chosen, beside)
        return
    kind = chosen.device.partition(":")[0]
    native = choose_precision("native", (chosen.device,))
    precisions = [chosen.dtype] if chosen.dtype else list(dict.fromkeys(["float32", native]))

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        save_model(folder / "model", documents, ["proximity"])
        plain = Plain(folder / "model", chosen.device)
        engines = {
            precision: Engine(
                random_spec(folder / "model"), chosen.device, precision, chosen.batch_tokens
            )
            for precision in precisions
        }
        works: dict[str, Callable[[], object]] = {
            "plain float32": lambda: plain.run(documents, folder / "vectors.jsonl")
        }
        for precision, engine in engines.items():
            works[precision] = lambda e=engine: e.run(documents, folder / "store")
        plain.run(documents[:2], folder / "v")
        for engine in engines.values():
            engine.run(documents[:2], folder / "s")  # loads weights
            engine.encoder.stats = EncodeStats()
        timed = interleaved(works, chosen.repeats)
        lengths = next(iter(engines.values())).encoder.count_tokens(documents, Role.PROXIMITY)
        tokens = int(lengths.sum())
        base = timed["plain float32"]
        rows = [
            {"way": "plain, batches of 32, float32", **_times(base, base),
             "goal": "", "padding %": round(100 * (1 - tokens / plain.padded), 1),
             "of matmul %": "", "cosine to plain": 1.0}
        ]  # fmt: skip
        for precision, engine in engines.items():
            mine = timed[precision]
            rate = matmul_rate(chosen.device, precision)
            rows.append(
                {"way": f"engine, {precision}", **_times(mine, base),
                 "goal": GOALS.get(kind, {}).get(precision, ""),
                 "padding %": round(100 * engine.encoder.stats.padding, 1),
                 "of matmul %": round(100 * operations(lengths) / min(mine.wall) / rate),
                 "cosine to plain": round(_least_cosine(mine.result, base.result), 5)}
            )  # fmt: skip
    show(f"{len(documents):,} texts, {tokens:,} tokens, {chosen.device}, best of {chosen.repeats}, "
         "ways in turn", rows)  # fmt: skip
    write(
        chosen, [*rows, *beside], tokens=tokens,
        seconds={name: item.record() for name, item in timed.items()},
    )  # fmt: skip


if __name__ == "__main__":
    main()
