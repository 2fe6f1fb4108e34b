"""How many of a request's texts are longer than a model's longest input, known without encoding."""

from __future__ import annotations

import hashlib
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from scirepeval_harness.files import read_json, write_json
from scirepeval_harness.model.base import CutEncoder, Encoder
from scirepeval_harness.task.dataset import EncodeRequest
from scirepeval_harness.vectors.keys import text_key
from scirepeval_harness.vectors.store import EmbeddingStore

FILE = "cut.json"
# Texts of a request that are looked at, evenly spread: a share of them is known to 2 points.
LOOKED_AT = 2_048


@dataclass(frozen=True, slots=True)
class Cut:
    """Of ``looked_at`` texts ``cut`` are encoded without their end; ``exact`` where those are all
    texts of the request and not an even sample."""

    cut: int
    looked_at: int
    exact: bool

    @property
    def share(self) -> float:
        """0..1."""
        return self.cut / self.looked_at


def count_cut(encoder: Encoder, request: EncodeRequest, store: EmbeddingStore) -> Cut | None:
    """How many texts of a request the encoder cuts; None where it cannot say, or nothing is asked.

    Counted on tokens, apart from encoding, so that a run says the same of vectors that it finds in
    the store. The count is kept beside them: a run that encodes nothing loads no tokenizer.

    Raises:
        HarnessError: the tokenizer cannot be loaded.
    """
    if not isinstance(encoder, CutEncoder) or not request.documents:
        return None
    step = -(-len(request.documents) // LOOKED_AT)
    sample = request.documents[::step]
    texts = b"".join(text_key(encoder.text(one, request.role)) for one in sample)
    asked = hashlib.sha256(texts).hexdigest()[:32]
    file = store.space(encoder.identity(request.role)).folder / FILE
    known = _read(file)
    count = known.get(asked)
    if count is None:
        found = encoder.overlong(sample, request.role)
        if found is None:
            return None
        count = int(found.sum())
        # A store that is read-only is counted anew each time.
        with suppress(OSError):
            if file.parent.is_dir():
                write_json(file, known | {asked: count})
    return Cut(count, len(sample), step == 1)


def _read(file: Path) -> dict[str, int]:
    """Counts by the texts that were looked at; a file that cannot be read counts as none."""
    with suppress(OSError, ValueError, AttributeError):
        return {key: count for key, count in read_json(file).items() if type(count) is int}
    return {}
