"""What the precision of a card's products does to scores: real sets, a small network, no card.

    python benchmarks/precision.py --length 24

TF32 and three products of bfloat16 are emulated on the processor by rounding the inputs of every
matrix product: products and sums are float32, as on a card. bfloat16 and float16 are the
processor's own. A card may round the inputs to TF32 or cut them; both are shown, and beside them
float32 with sums in another order: what moves there is no matter of precision. all-MiniLM-L6-v2
encodes real sets of every kind, each text cut at ``--length`` tokens: small sets whole, of the
others a part. S2AND is left out, whose classifier takes minutes, and MDCR, whose texts are
HepPh's. Few-shot settings are cut to ``--iterations``.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from support import add_data, minilm_folder, parser, real_tasks, show, write
from torch.overrides import TorchFunctionMode

import scirepeval_harness as sh
from scirepeval_harness.model.base import EncodeOptions
from scirepeval_harness.model.devices import Precision
from scirepeval_harness.model.registry import load_models
from scirepeval_harness.model.replica import TransformerReplica
from scirepeval_harness.model.transformer import TransformerEncoder
from scirepeval_harness.roles import Role

DROPPED = 13
"""Bits of float32's mantissa, 23, that TF32's 10 leave out."""
LIMIT = 0.1
"""Points that a default may move a score by."""
TASKS = {
    "mesh-scirepeval-sample": "whole",
    "arxiv-publication-year": "rows",
    "hepph-cite": "queries",
    "nfcorpus-stop-word-filtered": "queries",
    "search-scirepeval-sample": "queries",
    "same-author-detection-scirepeval-sample": "whole",
    "drsm-gold-standard": "rows",
    "petal-functions": "rows",
    "petal-protect-from-harm": "rows",
    "specter-citation-pool-scirepeval-sample": "whole",
    "paper-reviewer-matching": "queries",
}
"""All of a task, or so many rows a split, or queries, as the command line says."""
Product = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


def rounded(values: torch.Tensor) -> torch.Tensor:
    """Float32 values to the nearest TF32, ties to the even one; infinities and NaN stay."""
    bits = values.contiguous().view(torch.int32)
    odd = (bits >> DROPPED) & 1
    near = (bits + ((1 << (DROPPED - 1)) - 1 + odd)) & -(1 << DROPPED)
    return torch.where(values.isfinite(), near.view(torch.float32), values)


def cut(values: torch.Tensor) -> torch.Tensor:
    """Float32 values with the bits that TF32 lacks set to zero."""
    return (values.contiguous().view(torch.int32) & -(1 << DROPPED)).view(torch.float32)


def halves(values: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """A float32 value as the sum of two bfloat16 numbers, 16 bits together; both as float32."""
    high = values.bfloat16().float()
    return high, (values - high).bfloat16().float()


def three_products(left: torch.Tensor, right: torch.Tensor) -> torch.Tensor:
    """The product of both parts of each matrix but for the two low ones, the small ones first."""
    (a, b), (c, d) = halves(left), halves(right)
    return (torch.matmul(a, d) + torch.matmul(b, c)) + torch.matmul(a, c)


class Emulated(TorchFunctionMode):
    """Within this context every product of two matrices of a float32 model is ``product``'s."""

    def __init__(self, product: Product) -> None:
        super().__init__()
        self._product = product
        self.products = 0

    def __torch_function__(
        self, func: Any, types: Any, args: Sequence[Any] = (), kwargs: Any = None
    ) -> Any:
        own: Any = {
            torch.nn.functional.linear: self._linear,
            torch.nn.functional.scaled_dot_product_attention: self._attention,
            **dict.fromkeys((torch.matmul, torch.bmm, torch.mm, torch.Tensor.matmul,
                             torch.Tensor.bmm, torch.Tensor.mm, torch.Tensor.__matmul__),
                            self._matmul),
        }.get(func, func)  # fmt: skip
        # A product that would pass by unrounded must not: the table would say too little.
        if getattr(func, "__name__", "") in ("addmm", "baddbmm", "einsum", "conv1d", "addbmm"):
            raise NotImplementedError(func.__name__)
        return own(*args, **(kwargs or {}))

    def _matmul(self, left: torch.Tensor, right: torch.Tensor) -> torch.Tensor:
        self.products += 1
        with torch._C.DisableTorchFunction():
            return self._product(left, right)

    def _linear(
        self, given: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None = None
    ) -> torch.Tensor:
        made = self._matmul(given, weight.t())
        return made if bias is None else made + bias

    def _attention(
        self,
        query: torch.Tensor,
        key: torch.Tensor,
        value: torch.Tensor,
        attn_mask: torch.Tensor | None = None,
        dropout_p: float = 0.0,
        is_causal: bool = False,
        scale: float | None = None,
        enable_gqa: bool = False,
    ) -> torch.Tensor:
        assert not any((dropout_p, is_causal, enable_gqa))
        scores = self._matmul(query, key.mT) * (query.shape[-1] ** -0.5 if scale is None else scale)
        if attn_mask is not None:
            scores = (
                scores.masked_fill(~attn_mask, -torch.inf)
                if attn_mask.dtype == torch.bool
                else scores + attn_mask
            )
        return self._matmul(scores.softmax(-1), value)


def plain(left: torch.Tensor, right: torch.Tensor) -> torch.Tensor:
    """The product as it is: what the emulation changes by its order of sums alone."""
    return torch.matmul(left, right)


WAYS: dict[str, tuple[Precision, Product | None]] = {
    "float32": ("float32", None),
    "float32, other order": ("float32", plain),
    "tf32": ("float32", lambda a, b: torch.matmul(rounded(a), rounded(b))),
    "tf32, cut": ("float32", lambda a, b: torch.matmul(cut(a), cut(b))),
    "3 x bfloat16": ("float32", three_products),
    "float16": ("float16", None),
    "bfloat16": ("bfloat16", None),
}
"""The precision of the weights, and what stands for a product, by the name in the tables."""


class Network:
    """MiniLM in one precision, on the engine's own batches; each text is encoded once."""

    def __init__(self, way: str, length: int) -> None:
        self.way, (precision, product) = way, WAYS[way]
        self.name = way.replace(",", "").replace(" ", "-")
        self._mode = None if product is None else Emulated(product)
        spec = load_models()["minilm"].model_copy(update={"max_length": length})
        self._encoder = TransformerEncoder(cast(Any, spec), EncodeOptions(device="cpu"))
        self._replica = TransformerReplica(
            minilm_folder(), device="cpu", precision=precision, pooling="mean",
            with_adapters=False, compiled=False, where="minilm",
        )  # fmt: skip
        self.known: dict[str, np.ndarray[Any, Any]] = {}
        self.seconds = 0.0

    def encode(self, texts: list[str]) -> np.ndarray[Any, Any]:
        """Vectors (texts, 384), float32."""
        if lacking := [text for text in texts if text not in self.known]:
            start = time.perf_counter()
            self._add(lacking)
            self.seconds += time.perf_counter() - start
        return np.stack([self.known[text] for text in texts])

    def _add(self, texts: list[str]) -> None:
        table = self._encoder.tokenise(texts, Role.PROXIMITY)
        mode: AbstractContextManager[Any] = self._mode or nullcontext()
        for batch in self._encoder.cut(table, Role.PROXIMITY):
            with mode:
                vectors = self._replica.submit(*table.padded(batch.rows, batch.length, 0))()
            self.known.update(zip((texts[row] for row in batch.rows), vectors, strict=True))
        assert self._mode is None or self._mode.products, "no product was emulated"


def scores(
    networks: Sequence[Network], chosen: argparse.Namespace, folder: Path
) -> Iterator[tuple[str, str, list[float]]]:
    """Task and key of a score, with the score of each network, as tasks are done."""
    for task in chosen.task or TASKS:
        results = sh.evaluate(
            {network.name: network for network in networks}, suite="real", tasks=[task],
            tasks_dirs=[folder], data=chosen.data, cache=None,
            limit=getattr(chosen, TASKS[task], None),
        )  # fmt: skip
        results.require_complete()
        records = [result.tasks[task] for result in results.values()]
        for each in zip(*(record.scores for record in records), strict=True):
            assert len({score.key for score in each}) == 1
            yield task, each[0].key, [score.value for score in each]


def summary(networks: Sequence[Network], moves: np.ndarray[Any, Any]) -> list[dict[str, object]]:
    """A line a precision; ``moves`` are points of difference (scores, networks)."""
    reference = networks[0].known
    every = np.stack(list(reference.values()))
    lines: list[dict[str, object]] = []
    for network, own in zip(networks, np.abs(moves).T, strict=True):
        vectors = np.stack([network.known[text] for text in reference])
        apart = np.linalg.norm(vectors - every, axis=1) / np.linalg.norm(every, axis=1)
        lines.append({
            "precision": network.way,
            "largest move": round(float(own.max()), 3),
            f"scores moved over {LIMIT}": int((own > LIMIT).sum()),
            "of": len(own),
            "largest vector difference": f"{apart.max():.1e}",
            "its mean": f"{apart.mean():.1e}",
            "seconds": round(network.seconds, 1),
        })  # fmt: skip
    return lines


def main() -> None:
    made = parser(__doc__)
    add_data(made, documents=0)
    made.add_argument("--way", action="append", choices=list(WAYS)[1:], help="default: all")
    made.add_argument("--task", action="append", choices=TASKS, help="default: all")
    made.add_argument("--rows", type=int, default=300, help="rows a split")
    made.add_argument("--queries", type=int, default=10)
    made.add_argument("--length", type=int, default=24, help="tokens a text")
    made.add_argument("--iterations", type=int, default=20, help="samples of a few-shot setting")
    chosen = made.parse_args()
    if not (chosen.data / "tasks.jsonl").is_file():
        print(f"skipped: no real sets in {chosen.data}; pass --data FOLDER")
        return
    ways = ["float32", *(chosen.way or list(WAYS)[1:])]
    networks = [Network(way, chosen.length) for way in ways]
    rows: list[dict[str, object]] = []
    moves: list[list[float]] = []
    with tempfile.TemporaryDirectory() as name:
        folder = real_tasks(chosen.data, Path(name), chosen.iterations)
        for task, key, values in scores(networks, chosen, folder):
            moves.append([value - values[0] for value in values])
            differences = (round(move, 2) for move in moves[-1][1:])
            rows.append({"task": task, "score": key, "float32": round(values[0], 2),
                         **dict(zip(ways[1:], differences, strict=True))})  # fmt: skip
            print(*rows[-1].values(), flush=True)
    show("points of difference from float32", rows)
    lines = summary(networks, np.array(moves))
    show(f"{len(networks[0].known)} texts", lines)
    write(chosen, rows, summary=lines, texts=len(networks[0].known))


if __name__ == "__main__":
    main()
