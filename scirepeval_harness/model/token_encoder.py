"""An encoder that runs weights on tokens: texts, windows and batches by token budget, whatever the
weights are."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from scirepeval_harness.model import devices, engine
from scirepeval_harness.model.base import (
    Advance,
    EncodeOptions,
    Identity,
    Prompted,
    Vectors,
    join_parts,
)
from scirepeval_harness.model.engine import Batch, Encoded, TokenTable
from scirepeval_harness.model.kinds import Weights, WeightsSpec
from scirepeval_harness.model.prompts import fill, template_for
from scirepeval_harness.model.weights import Part, Snapshot, locate
from scirepeval_harness.roles import Role
from scirepeval_harness.task.dataset import Document

if TYPE_CHECKING:
    from scirepeval_harness.model.replica import DeviceReplica

S = TypeVar("S", bound=WeightsSpec)
# Documents tokenised and sorted at a time: the next window's tokens are made while this one is
# encoded, and memory stays bounded however long the corpus.
WINDOW = 16_384
# More special tokens than any tokenizer puts around a text.
SPECIAL = 8
# A template that adds nothing.
BARE = "{text}"


@dataclass
class Loaded:
    """What an encoder has loaded so far, shared by its views of single tasks.

    ``tokenizers`` are by the place of their files in the model's folder.
    """

    snapshots: dict[str, Snapshot] = field(default_factory=dict)
    tokenizers: dict[str, Any] = field(default_factory=dict)
    replicas: tuple[DeviceReplica, ...] = ()
    separator: str | None = None


class TokenEncoder(Prompted, ABC, Generic[S]):
    """Encodes documents with weights on this machine; satisfies :class:`~.base.BatchEncoder`.

    Nothing heavy happens before the first call of ``encode`` or ``count_tokens``: text and identity
    come from the model's small files. ``stats`` counts documents, tokens and padding.
    One call of ``encode`` or ``encode_batches`` at a time.
    """

    _spec: S
    cacheable = True

    def __init__(self, spec: S, options: EncodeOptions) -> None:
        self.name = spec.name
        self.stats = engine.EncodeStats()
        self._spec, self._options = spec, options
        self._devices = devices.choose_devices(options.device)
        self._precision = devices.choose_precision(
            options.dtype, () if options.elsewhere else self._devices
        )
        asked = options.batch_tokens
        self._budget = devices.tokens_a_batch(asked, self._devices, self._precision)
        self._loaded = Loaded()

    @property
    def devices(self) -> tuple[str, ...]:
        """Where it computes."""
        return self._devices

    @property
    def hardware(self) -> str:
        """Devices and machine: what a rate of encoding was measured on."""
        return devices.hardware_name(self._devices)

    @property
    @abstractmethod
    def dimensions(self) -> int:
        """Length of a vector as far as small files tell; 0 where they do not."""

    @property
    @abstractmethod
    def reading(self) -> str:
        """How the weights are read, in words, where that is not registered; else empty.

        Raises:
            HarnessError: the model's files cannot be read.
        """

    @abstractmethod
    def identity(self, role: Role) -> Identity:
        """What determines the vectors of a role; reads small files and checksums."""

    @abstractmethod
    def tokenise(self, texts: Sequence[str], role: Role, limit: int | None = None) -> TokenTable:
        """Tokens of texts that :meth:`text` made, at most ``limit`` each, by default the longest
        input; loads the tokenizer and no weights."""

    @abstractmethod
    def _open(self, role: Role) -> None:
        """Load what is not loaded yet and switch every replica to the role."""

    @abstractmethod
    def _load_tokenizer(self, role: Role) -> Any: ...

    @abstractmethod
    def _separator_text(self) -> str:
        """What stands between the parts of a document."""

    @abstractmethod
    def _max_length(self, role: Role) -> int:
        """Longest input in tokens."""

    def text(self, document: Document, role: Role) -> str:
        """Non-empty parts joined by the separator, in the role's prompt if there is one."""
        text = join_parts(document.parts, self._separator_text())
        found = self._template(role)
        return fill(found[1], document.parts, text) if found else text

    def prepare(self, documents: Sequence[Document]) -> None:
        """Nothing: a vector depends on its text alone."""

    def count_tokens(self, documents: Sequence[Document], role: Role) -> NDArray[np.int64]:
        """Tokens of each document as encoded: special tokens included, truncated."""
        windows = (table.lengths for _, table in self._windows(documents, role))
        return np.concatenate([np.zeros(0, np.int64), *windows])

    def overlong(self, documents: Sequence[Document], role: Role) -> NDArray[np.bool_]:
        """Which texts (len(documents),) have more tokens than the longest input."""
        limit = self._max_length(role)
        texts = [self.text(document, role) for document in documents]
        # A token stands for a byte at least: short texts need no tokenizer.
        sizes = [len(text.encode("utf-8", "surrogatepass")) + SPECIAL for text in texts]
        found = np.array(sizes, dtype=np.int64) > limit
        if found.any():
            long = [text for text, size in zip(texts, found, strict=True) if size]
            found[found] = self.tokenise(long, role, limit + 1).lengths > limit
        return found

    def encode(self, documents: Sequence[Document], role: Role, advance: Advance) -> Vectors:
        """Vectors (len(documents), dimensions), float32, in the order given.

        Raises:
            ModelError: the model or adapter cannot be loaded.
        """
        batches = self.encode_batches(documents, role)
        return in_order(batches, len(documents), self.dimensions, advance)

    def encode_batches(
        self, documents: Sequence[Document], role: Role
    ) -> Iterator[tuple[NDArray[np.intp], Vectors]]:
        """As :meth:`encode`, batch by batch in the order in which they are done.

        Yields positions in ``documents`` and their vectors (rows, dimensions), each position once,
        so that a caller can keep every batch at once.
        """
        if not documents:
            return
        # Before the windows: loading uses the tokenizer too, which serves one thread at a time.
        self._open(role)
        for start, table in self._windows(documents, role):
            for rows, vectors in self._run(table, role, None):
                yield rows + start, vectors

    def cut(self, table: TokenTable, role: Role) -> list[Batch]:
        """The batches in which a table would be encoded now, the longest first."""
        return engine.plan_batches(table.lengths, self._budget, self._max_length(role))

    def encode_tokens(
        self, table: TokenTable, role: Role, batches: Sequence[Batch]
    ) -> Iterator[Encoded]:
        """Rows of a table and their vectors (rows, dimensions), batch by batch as they are done.

        Args:
            batches: what :meth:`cut` gave for these tokens, here or on another machine.
        """
        self._open(role)
        yield from self._run(table, role, batches)

    def _run(
        self, table: TokenTable, role: Role, batches: Sequence[Batch] | None
    ) -> Iterator[Encoded]:
        for encoded, budget in engine.run_batches(
            self._loaded.replicas,
            table,
            budget=self._budget,
            limit=self._max_length(role),
            fill=getattr(self._load_tokenizer(role), "pad_token_id", None) or 0,
            stats=self.stats,
            batches=batches,
        ):
            self._budget = budget
            yield encoded

    def _windows(
        self, documents: Sequence[Document], role: Role
    ) -> Iterator[tuple[int, TokenTable]]:
        """Start and tokens of each window; the next one is tokenised in the background."""
        self._load_tokenizer(role)

        def table(start: int) -> TokenTable:
            window = documents[start : start + WINDOW]
            return self.tokenise([self.text(item, role) for item in window], role)

        starts = range(0, len(documents), WINDOW)
        with ThreadPoolExecutor(1, thread_name_prefix="tokenise") as pool:
            waiting = pool.submit(table, 0) if documents else None
            for start in starts:
                assert waiting is not None
                ready = waiting.result()
                following = start + WINDOW
                waiting = pool.submit(table, following) if following < len(documents) else None
                yield start, ready

    def _template(self, role: Role) -> tuple[str, str] | None:
        """Whose prompt a role has, and its template; None where it has none."""
        template = template_for(self._spec.prompts, role)
        return None if template is None else ("given", template)

    def _vector_details(self, role: Role) -> dict[str, str]:
        """Of an identity: the prompt, and what is done to a vector; only what there is, because a
        key with an empty value would make other spaces of old vectors."""
        details = {}
        if (found := self._template(role)) and found[1] != BARE:
            details = {"prompt_name": found[0], "prompt": found[1]}
        if self._spec.truncate_dim is not None:
            details["truncate_dim"] = str(self._spec.truncate_dim)
        return details | ({"normalize": "to length 1"} if self._spec.normalize else {})

    def _located(self, weights: Weights, part: Part) -> Snapshot:
        key, snapshots = weights.model_dump_json(), self._loaded.snapshots
        if key not in snapshots:
            snapshots[key] = locate(weights, part, self._spec, offline=self._options.offline)
        return snapshots[key]


def in_order(batches: Iterator[Encoded], count: int, dimensions: int, advance: Advance) -> Vectors:
    """All vectors (count, dimensions) of batches that come in any order.

    Args:
        dimensions: what is expected; the vectors themselves are right.
    """
    vectors = np.empty((count, dimensions), dtype=np.float32)
    for rows, values in batches:
        if values.shape[1] != vectors.shape[1]:
            vectors = np.empty((count, values.shape[1]), dtype=np.float32)
        vectors[rows] = values
        advance(len(rows))
    return vectors
