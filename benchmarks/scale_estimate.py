"""How long encoding takes on 1, 8 and 64 cards, and what it needs, worked out from measured rates.

The rate of a device comes from one of three places, and each row names its own:

- the JSON files that benchmarks/encode.py wrote (tokens a second of one device);
- ``--tokens-per-second``, measured on your card;
- without either, an assumed share of a card's published peak: share x peak / operations a token.

The rate at which the run's process takes vectors from a cluster and stores them is measured here,
in a second or two.

    python benchmarks/scale_estimate.py benchmarks/results/epyc-2-cores/encode.json
    python benchmarks/scale_estimate.py --tokens-per-second 1500000 --gpus 1 8 64
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from support import show

from scirepeval_harness.run.cost import MEMORY, MEMORY_PROBED, MEMORY_RANKED

LAYERS, WIDTH, INNER = 12, 768, 3_072
"""Of BERT-base, which all models of the published table are."""
H200_PEAK = 989e12
"""Dense bf16 operations a second in NVIDIA's data sheet of the H200 SXM (its 1,979 TFLOPS hold for
sparse matrices only)."""
SHARE = 0.4
"""Assumed, not measured: the share of the peak that the encode engine is meant to reach."""
LENGTH = 213.0
"""Tokens of title and abstract, at most 512: the mean over 2,000 of the texts that the benchmarks
draw, with the 30,522 word pieces of BERT. (The vocabulary that benchmarks/encode.py makes of few
texts cuts them into more.)"""
VECTOR_BYTES = 4 * WIDTH + 16
"""float32 and the key of the text."""
HELD = 300_000
"""Documents that a run holds at a time (scirepeval_harness/run/). Memory goes by those of its
largest ranking or probe: measured with tests/support/large_task.py, 2.27 GB at 262,600 documents of
1,300 characters and 0.15 GB at 2,626, and with full_size.py, 3.5 GB at 259,000 documents of a
probe; model, torch and tokenizer come on top."""

LABELLED = {
    "classification": {"mesh_descriptors": 259_000, "fos": 54_600, "biomimicry": 11_000,
                       "drsm": 8_500, "scidocs_mag": 21_000, "scidocs_mesh": 20_000},
    "regression": {"cite_count": 30_000, "pub_year": 30_000, "tweet_mentions": 26_000,
                   "peer_review_score and hIndex": 10_900},
    "proximity": {"same_author": 123_000, "high_influence_cite": 58_300, "relish": 191_000,
                  "paper_reviewer_matching": 3_500, "scidocs_cite, _cocite, _read, _view": 120_000,
                  "search": 26_000, "nfcorpus": 44_600, "trec_covid": 69_000},
}  # fmt: skip
"""Labelled rows by role, as the data sets are published: of a probe its documents, of a ranking its
pairs, and so at most so many candidates. Queries of ad-hoc searches are few beside them."""
MDCR = 250_000_000 // 1_300
"""Its file of texts has about 250 MB (the benchmark's own README); at 1,300 bytes a paper."""


@dataclass(frozen=True)
class Rate:
    """Tokens a second of one device, and where that comes from."""

    tokens: float
    source: str


@dataclass(frozen=True)
class Corpus:
    """Documents to encode, and those of the largest part that a run holds at a time, with the bytes
    that each of these takes."""

    name: str
    documents: int
    held: int
    held_bytes: int


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    options.add_argument("results", type=Path, nargs="*", help="JSON of benchmarks/encode.py")
    options.add_argument("--tokens-per-second", type=float, help="measured on one of your cards")
    options.add_argument("--tokens-per-document", type=float, default=LENGTH)
    options.add_argument("--gpus", type=int, nargs="+", default=[1, 8, 64])
    options.add_argument("--peak", type=float, default=H200_PEAK, help="operations a second")
    options.add_argument("--share", type=float, default=SHARE, help="of the peak; assumed")
    options.add_argument("--vectors-per-second", type=float, help="stored; else measured here")
    chosen = options.parse_args()
    rates = [rate for path in chosen.results for rate in measured(path)]
    length = chosen.tokens_per_document
    if chosen.tokens_per_second:
        rates.append(Rate(chosen.tokens_per_second, "measured, as given"))
    else:
        assumed = chosen.share * chosen.peak / operations(length)
        source = f"assumed: {chosen.share:.0%} of {chosen.peak / 1e12:.0f} TFLOPS"
        rates.append(Rate(assumed, source))
    benchmark = sum(sum(part.values()) for part in LABELLED.values()) + MDCR
    largest = LABELLED["classification"]["mesh_descriptors"]
    corpora = [
        Corpus("SciRepEval + MDCR", benchmark, largest, MEMORY_PROBED),
        Corpus("200 million papers", 200_000_000, HELD, MEMORY_RANKED),
    ]
    for role, part in LABELLED.items():
        print(f"{role}: at most {sum(part.values()):,} documents")
    stored = chosen.vectors_per_second or storing_rate()
    origin = "given" if chosen.vectors_per_second else "measured on this machine"
    print(f"stored: {stored:,.0f} vectors a second, {origin}")
    print(f"MDCR (proximity): about {MDCR:,} documents\n{length:.0f} tokens a document\n")
    for corpus in corpora:
        rows = list(estimates(corpus, rates, chosen.gpus, length, stored))
        show(f"{corpus.name}: {corpus.documents:,} documents, one role each", rows)
        print()


def measured(path: Path) -> Iterator[Rate]:
    """The rates of the engine in a result of benchmarks/encode.py."""
    record = json.loads(path.read_text(encoding="utf-8"))
    machine = record["machine"]
    device = machine.get("accelerator") or machine.get("cpu") or "processor"
    for row in record["rows"]:
        if row["way"].startswith("engine"):
            precision = row["way"].rpartition(", ")[2]
            yield Rate(
                record["tokens"] / row["seconds"],
                f"measured: {device}, {precision}",
            )


def operations(length: float) -> float:
    """Operations a token of a document of this length: matrix products and attention."""
    products = 2 * LAYERS * (4 * WIDTH * WIDTH + 2 * WIDTH * INNER)
    return products + LAYERS * 4 * WIDTH * length


def estimates(
    corpus: Corpus, rates: Sequence[Rate], cards: Sequence[int], length: float, stored: float
) -> Iterator[dict[str, object]]:
    """A row for each rate and number of cards.

    Time is the longer of encoding, which is divided by the number of cards, and of storing, which
    one process does for all of them.
    """
    for rate in rates:
        for count in cards:
            encode = corpus.documents * length / (rate.tokens * count)
            store = corpus.documents / stored
            yield {
                "rate of one device": rate.source,
                "tokens/s": f"{rate.tokens:,.0f}",
                "devices": count,
                "encode": words(encode),
                "store": words(store),
                "time": words(max(encode, store)),
                "disk": f"{corpus.documents * VECTOR_BYTES / 1e9:,.1f} GB",
                "memory": f"{(MEMORY + corpus.held * corpus.held_bytes) / 1e9:.1f} GB",
            }


def storing_rate(vectors: int = 40_000, chunk: int = 512) -> float:
    """Vectors a second from a worker's answers to the store's files, on one thread."""
    import tempfile
    import time

    import numpy as np

    from scirepeval_harness.cluster.workers import Encoded
    from scirepeval_harness.model.base import Identity
    from scirepeval_harness.model.engine import EncodeStats
    from scirepeval_harness.roles import Role
    from scirepeval_harness.vectors.store import EmbeddingStore

    noise = np.random.default_rng(1)
    answers = [
        Encoded(
            0,
            np.arange(start, start + chunk),
            noise.standard_normal((chunk, WIDTH), dtype=np.float32),
            EncodeStats(),
        ).table()
        for start in range(0, vectors, chunk)
    ]
    keys = np.frombuffer(noise.bytes(16 * (vectors + chunk)), dtype="S16")
    with tempfile.TemporaryDirectory() as folder:
        space = EmbeddingStore(Path(folder)).space(Identity("noise", Role.PROXIMITY, {}))
        clock = time.perf_counter()
        for answer in answers:
            for done in Encoded.rows(answer):
                space.append(keys[done.places], done.vectors)
        space.finish()
        return len(answers) * chunk / (time.perf_counter() - clock)


def words(seconds: float) -> str:
    """``42 s``, ``3.5 min``, ``7.1 h``, ``12 days``."""
    for unit, size in (("days", 86_400.0), ("h", 3_600.0), ("min", 60.0)):
        if seconds >= 2 * size:
            return f"{seconds / size:,.1f} {unit}"
    return f"{seconds:.0f} s"


if __name__ == "__main__":
    main()
