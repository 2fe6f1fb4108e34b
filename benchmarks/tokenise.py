"""Texts a second from documents to tokens, and whether a card would wait for them.

    python benchmarks/tokenise.py

The harness's own way: texts made, tokenised a window at a time in a thread beside the device,
packed into one array, batches cut and padded. What the calling thread does itself is done by one
processor however many there are; the rest is the tokenizer's own threads. Both are processor
seconds, so that a machine that others use too gives the same answer.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from support import add_data, parser, read_texts, save_model, show, write

CARD = 10_000
"""Texts a second that a fast card takes: what tokens must keep up with."""
CORES = 16


def main() -> None:
    options = parser(__doc__)
    add_data(options, documents=8_192)
    chosen = options.parse_args()
    documents = read_texts(chosen.data, chosen.documents)
    from scirepeval_harness.model.base import EncodeOptions
    from scirepeval_harness.model.engine import TokenTable
    from scirepeval_harness.model.kinds import TransformerSpec
    from scirepeval_harness.model.transformer import TransformerEncoder
    from scirepeval_harness.roles import Role

    role = Role.PROXIMITY
    os.environ["TOKENIZERS_PARALLELISM"] = "true"
    with tempfile.TemporaryDirectory() as folder:
        save_model(Path(folder), documents, [])
        spec = TransformerSpec.model_validate(
            {"name": "random", "title": "Random", "kind": "transformer",
             "base": {"path": str(Path(folder) / "base")}}
        )  # fmt: skip
        encoder = TransformerEncoder(spec, EncodeOptions(device="cpu", dtype="float32"))
        texts = [encoder.text(item, role) for item in documents]
        table = encoder.tokenise(texts, role)

        def pad() -> None:
            for batch in encoder.cut(table, role):
                table.padded(batch.rows, batch.length, 0)

        def whole() -> TokenTable:
            made: TokenTable = encoder.tokenise([encoder.text(x, role) for x in documents], role)
            return made

        measured: dict[str, list[tuple[float, float, float]]] = {}
        for _ in range(chosen.repeats):
            for name, work in (("texts and tokens", whole), ("batches and padding", pad)):
                measured.setdefault(name, []).append(seconds_of(work))
    tokens = int(table.lengths.sum())
    rows: list[dict[str, object]] = []
    expected = 0.0
    for name, runs in measured.items():
        wall, every, own = map(min, zip(*runs, strict=True))
        expected = expected or len(texts) / (own + (every - own) / CORES)
        rows.append(
            {"what": name, "texts/s": round(len(texts) / wall), "tokens/s": round(tokens / wall),
             "CPU us a text": round(1e6 * every / len(texts), 1),
             "of it on one thread": round(1e6 * own / len(texts), 1)}
        )  # fmt: skip
    show(f"{len(texts):,} texts, {tokens:,} tokens, {os.cpu_count()} processors", rows)
    limit = "the card" if expected > CARD else "tokenising"
    print(
        f"{CORES} processors would give {expected:,.0f} texts a second, a fast card takes {CARD:,}"
    )
    print(f"the limit there is {limit}")
    write(chosen, rows, tokens=tokens, expected=round(expected), goal=CARD)


def seconds_of(work: Callable[[], object]) -> tuple[float, float, float]:
    """Seconds by the clock, of all the process's threads, and of the calling thread alone."""
    wall, every, own = time.perf_counter(), time.process_time(), time.thread_time()
    work()
    return time.perf_counter() - wall, time.process_time() - every, time.thread_time() - own


if __name__ == "__main__":
    main()
