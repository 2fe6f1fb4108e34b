"""A transformer encoder: base, adapters or control codes by role, batches by token budget."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from scirepeval_harness.errors import ModelError
from scirepeval_harness.model import devices, engine
from scirepeval_harness.model.base import Advance, EncodeOptions, Identity, Vectors, join_parts
from scirepeval_harness.model.engine import Batch, Encoded, TokenTable
from scirepeval_harness.model.kinds import TransformerSpec
from scirepeval_harness.model.weights import LOCAL, Part, Snapshot, loading, locate, read_json
from scirepeval_harness.roles import Role
from scirepeval_harness.task.dataset import Document

if TYPE_CHECKING:
    from scirepeval_harness.model.bottleneck import Reader
    from scirepeval_harness.model.replica import TransformerReplica


# Documents tokenised and sorted at a time: the next window's tokens are made while this one is
# encoded, and memory stays bounded however long the corpus.
WINDOW = 16_384
PROBE_TEXT = "We study how citation graphs shape the vectors of scientific papers."
# Architectures whose first positions are taken by the padding index.
OFFSET_POSITIONS = frozenset({"roberta", "xlm-roberta", "camembert", "longformer", "mpnet"})


class TransformerEncoder:
    """Encodes documents with a transformer; satisfies :class:`~.base.Encoder`.

    Nothing heavy happens before the first call of ``encode`` or ``count_tokens``: text and identity
    come from the model's small files. ``stats`` counts documents, tokens and padding.
    One call of ``encode`` or ``encode_batches`` at a time.
    """

    cacheable = True

    def __init__(
        self, spec: TransformerSpec, options: EncodeOptions, *, reader: Reader | None = None
    ) -> None:
        """``reader`` chooses what reads adapters (see :func:`~.bottleneck.adapter_reader`)."""
        self.name = spec.name
        self.stats = engine.EncodeStats()
        self._spec, self._base, self._options = spec, spec.base, options
        self._reader = reader
        self._devices = devices.choose_devices(options.device)
        self._precision = devices.choose_precision(options.dtype, self._devices)
        asked = options.batch_tokens
        self._budget = devices.tokens_a_batch(asked, self._devices, self._precision)
        self._snapshots: dict[str, Snapshot] = {}
        self._separator: str | None = None
        self._tokenizer: Any = None
        self._replicas: tuple[TransformerReplica, ...] = ()

    @property
    def dimensions(self) -> int:
        """Length of a vector; architectures call it by different names in config.json."""
        config = self._config()
        found = (config.get(key) for key in ("hidden_size", "dim", "d_model"))
        return next((value for value in found if type(value) is int and value > 0), 0)

    @property
    def hardware(self) -> str:
        """Devices and machine: what a rate of encoding was measured on."""
        return devices.hardware_name(self._devices)

    def identity(self, role: Role) -> Identity:
        """Base, adapter, code, pooling, length and precision; reads small files and checksums."""
        base, adapter = self._snapshot(None), self._snapshot(role)
        details = {
            "base": base.location,
            "base_revision": base.revision,
            "base_weights": base.weights_fingerprint(),
            "base_config": base.config_fingerprint(),
            "control_code": self._spec.control_codes.get(role, ""),
            "dtype": self._precision,
            "max_length": str(self._max_length()),
            "pooling": self._spec.pooling,
            "separator": self._separator_text(),
        }
        # Only where there is one: a key with an empty value would make other spaces of old vectors.
        if adapter is not base:
            details |= {
                "adapter": adapter.location,
                "adapter_revision": adapter.revision,
                "adapter_weights": adapter.weights_fingerprint(),
                "adapter_config": adapter.config_fingerprint(),
            }
        # What a folder holds is known by its sums; checkpoints move from machine to machine.
        parts = {"base": base, "adapter": adapter}
        local = frozenset(name for name, part in parts.items() if part.revision == LOCAL)
        return Identity(self.name, role, details, places=local)

    def text(self, document: Document, role: Role) -> str:
        """Non-empty parts joined by the separator token, behind the role's control code if any."""
        text = join_parts(document.parts, self._separator_text())
        return with_control_code(self._spec.control_codes.get(role), text)

    def prepare(self, documents: Sequence[Document]) -> None:
        """Nothing: a vector depends on its text alone."""

    def count_tokens(self, documents: Sequence[Document], role: Role) -> NDArray[np.int64]:
        """Tokens of each document as encoded: special tokens included, truncated."""
        windows = (table.lengths for _, table in self._windows(documents, role))
        return np.concatenate([np.zeros(0, np.int64), *windows])

    def encode(self, documents: Sequence[Document], role: Role, advance: Advance) -> Vectors:
        """Vectors (len(documents), dimensions), float32, in the order given.

        Raises:
            ModelError: the model or adapter cannot be loaded.
        """
        vectors = np.empty((len(documents), self.dimensions), dtype=np.float32)
        for rows, values in self.encode_batches(documents, role):
            # The config names another size, or none: the vectors themselves are right.
            if values.shape[1] != vectors.shape[1]:
                vectors = np.empty((len(documents), values.shape[1]), dtype=np.float32)
            vectors[rows] = values
            advance(len(rows))
        return vectors

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
            for rows, vectors in self._run(table, None):
                yield rows + start, vectors

    def tokenise(self, texts: Sequence[str]) -> TokenTable:
        """Tokens of texts that :meth:`text` made; loads the tokenizer and no weights."""
        return tokenise(self._load_tokenizer(), texts, self._max_length())

    def cut(self, table: TokenTable) -> list[Batch]:
        """The batches in which a table would be encoded now, the longest first."""
        return engine.plan_batches(table.lengths, self._budget, self._max_length())

    def encode_tokens(
        self, table: TokenTable, role: Role, batches: Sequence[Batch]
    ) -> Iterator[Encoded]:
        """Rows of a table and their vectors (rows, dimensions), batch by batch as they are done.

        Args:
            batches: what :meth:`cut` gave for these tokens, here or on another machine.
        """
        self._open(role)
        yield from self._run(table, batches)

    def _run(self, table: TokenTable, batches: Sequence[Batch] | None) -> Iterator[Encoded]:
        for encoded, budget in engine.run_batches(
            self._replicas,
            table,
            budget=self._budget,
            limit=self._max_length(),
            fill=self._tokenizer.pad_token_id or 0,
            stats=self.stats,
            batches=batches,
        ):
            self._budget = budget
            yield encoded

    def _windows(
        self, documents: Sequence[Document], role: Role
    ) -> Iterator[tuple[int, TokenTable]]:
        """Start and tokens of each window; the next one is tokenised in the background."""
        self._load_tokenizer()

        def table(start: int) -> TokenTable:
            window = documents[start : start + WINDOW]
            return self.tokenise([self.text(item, role) for item in window])

        starts = range(0, len(documents), WINDOW)
        with ThreadPoolExecutor(1, thread_name_prefix="tokenise") as pool:
            waiting = pool.submit(table, 0) if documents else None
            for start in starts:
                assert waiting is not None
                ready = waiting.result()
                following = start + WINDOW
                waiting = pool.submit(table, following) if following < len(documents) else None
                yield start, ready

    def _open(self, role: Role) -> None:
        """Load what is not loaded yet and switch every replica to the role."""
        from scirepeval_harness.model.replica import TransformerReplica

        tokenizer, where = self._load_tokenizer(), f"model {self.name}"
        if not self._replicas:
            self._replicas = tuple(
                TransformerReplica(
                    self._snapshot(None).folder,
                    device=device,
                    precision=self._precision,
                    pooling=self._spec.pooling,
                    with_adapters=bool(self._spec.adapters),
                    compiled=self._options.compile,
                    where=where,
                    reader=self._reader,
                )
                for device in self._devices
            )
        adapter = role in self._spec.adapters
        # Adapters are checked to change this: one that does nothing gives the base's own numbers.
        probe = tokenise(tokenizer, [PROBE_TEXT], self._max_length()).ids.tolist()
        for replica in self._replicas:
            replica.activate(
                role.value if adapter else None,
                self._snapshot(role).folder if adapter else None,
                probe,
            )

    def _load_tokenizer(self) -> Any:
        if self._tokenizer is None:
            tokenizer = load_tokenizer(self._snapshot(None).folder)
            for code in self._spec.control_codes.values():
                check_control_code(tokenizer, code, f"model {self.name}")
            self._tokenizer = tokenizer
        return self._tokenizer

    def _snapshot(self, role: Role | None) -> Snapshot:
        """Files of the role's adapter; of the base where the role has none."""
        adapter = None if role is None else self._spec.adapters.get(role)
        weights = adapter or self._base
        key = weights.model_dump_json()
        if key not in self._snapshots:
            part: Part = "base" if adapter is None else "adapter"
            self._snapshots[key] = locate(weights, part, self._spec, offline=self._options.offline)
        return self._snapshots[key]

    def _separator_text(self) -> str:
        if self._separator is None:
            self._separator = token_separator(separator_token(self._snapshot(None).folder))
        return self._separator

    def _config(self) -> dict[str, Any]:
        return read_json(self._snapshot(None).folder / "config.json")

    def check_length(self) -> None:
        """ModelError where the base has fewer positions than the maximum length; reads its config.
        Raises what :func:`~.weights.locate` does."""
        self._max_length()

    def _max_length(self) -> int:
        """The model file's maximum length; an error where the base has fewer positions."""
        config = self._config()
        positions = config.get("max_position_embeddings")
        if isinstance(positions, int):
            # Beyond the positions a GPU only says "device-side assert", and then nothing any more.
            if config.get("model_type") in OFFSET_POSITIONS:
                padding = config.get("pad_token_id")
                positions -= (padding if isinstance(padding, int) else 0) + 1
            if self._spec.max_length > positions:
                raise ModelError(
                    f"the base takes at most {positions} tokens, not {self._spec.max_length}",
                    where=f"model {self.name}",
                    fix=f"Use --max-length {positions}",
                )
        return self._spec.max_length


def separator_token(folder: Path) -> str:
    """The tokenizer's separator token, from its settings if they name it (fast), else loaded.

    Raises:
        ModelError: the tokenizer has none.
    """
    # Loading a tokenizer imports transformers, which takes seconds: a plan needs the token alone.
    for name in ("special_tokens_map.json", "tokenizer_config.json"):
        token = read_json(folder / name).get("sep_token")
        text = token.get("content") if isinstance(token, dict) else token
        if isinstance(text, str) and text:
            return text
    token = load_tokenizer(folder).sep_token
    if not token:
        raise ModelError(
            "the tokenizer has no separator token, so title and abstract cannot be joined",
            where=str(folder),
            fix="Add sep_token to its tokenizer_config.json",
        )
    return str(token)


def load_tokenizer(folder: Path) -> Any:
    """The tokenizer of a local folder; never opens a connection or runs code of the folder."""
    import transformers

    loader: Any = transformers.AutoTokenizer
    fix = "Download or save the model's files again"
    with loading("the tokenizer", str(folder), fix):
        return loader.from_pretrained(str(folder), local_files_only=True, trust_remote_code=False)


def check_control_code(tokenizer: Any, code: str, where: str) -> None:
    """Demand that the code is one token: its state is the vector (protocol, section 2)."""
    if tokenizer.tokenize(code) != [code] or tokenizer.convert_tokens_to_ids(code) in (
        None,
        tokenizer.unk_token_id,
    ):
        raise ModelError(
            f"the control code {code} is not one token of the tokenizer",
            where=where,
            fix="Use a base that was trained with the code, or correct the code",
        )


def tokenise(tokenizer: Any, texts: Sequence[str], max_length: int) -> TokenTable:
    """Token ids of texts, special tokens included, truncated at ``max_length``, not padded."""
    if not texts:
        return TokenTable.of([])
    if tokenizer.is_fast:
        # The same calls as the wrapper makes, without its padding, offsets and token types.
        backend = tokenizer.backend_tokenizer
        backend.no_padding()
        backend.enable_truncation(max_length)
        return TokenTable.of(item.ids for item in backend.encode_batch_fast(list(texts)))
    encoded = tokenizer(list(texts), truncation=True, max_length=max_length, padding=False)
    return TokenTable.of(encoded["input_ids"])


def token_separator(token: str) -> str:
    """A tokenizer's separator token with a space on each side (protocol, section 2)."""
    return f" {token} "


def with_control_code(code: str | None, text: str) -> str:
    """The control code in front of the text, one space between; the text alone without a code."""
    return text if code is None else f"{code} {text}"
