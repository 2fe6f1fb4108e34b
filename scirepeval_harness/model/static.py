"""Static vectors: a text is the mean of the vectors of its tokens. Needs neither torch nor the
libraries whose files are read (model2vec, wordllama)."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from scirepeval_harness.errors import ModelError
from scirepeval_harness.model.base import (
    Advance,
    EncodeOptions,
    Identity,
    Prompted,
    Vectors,
    join_parts,
)
from scirepeval_harness.model.kinds import StaticSpec
from scirepeval_harness.model.modules import MODULES, is_folder
from scirepeval_harness.model.prompts import prompted, template_for
from scirepeval_harness.model.weights import Snapshot, fingerprint, in_package, locate, read_json
from scirepeval_harness.roles import Role
from scirepeval_harness.task.dataset import Document

if TYPE_CHECKING:
    from tokenizers import Tokenizer

# The names under which model2vec, and sentence-transformers and wordllama, keep the table.
TABLES = ("embeddings", "embedding.weight")
# model2vec's own where its config.json says nothing.
MODEL2VEC_LENGTH = 512
CHUNK = 1_024


class StaticEncoder(Prompted):
    """Means of static token vectors; satisfies :class:`~.base.Encoder`.

    A folder of model2vec is read as its library reads it: texts are cut at ``max_length`` times the
    median length of a token before they are tokenised, unknown tokens are left out, and a text
    without tokens is a vector of zeros.
    """

    _spec: StaticSpec
    cacheable = True

    def __init__(self, spec: StaticSpec, options: EncodeOptions) -> None:
        self.name = spec.name
        self._spec, self._offline = spec, options.offline
        self._found: Snapshot | None = None
        self._config: dict[str, Any] = {}
        self._tokenizer: Tokenizer | None = None
        self._table: NDArray[np.float32] | None = None
        self._unknown: int | None = None
        self._most_characters: int | None = None

    def identity(self, role: Role) -> Identity:
        """Both files by their content, with all that is done with them."""
        found, template = self._locate(), template_for(self._spec.prompts, role)
        return Identity(
            self.name,
            role,
            {
                "base": found.location,
                "base_revision": found.revision,
                "base_weights": fingerprint([found.folder / self._spec.vectors]),
                "tokenizer": fingerprint([found.folder / self._spec.tokenizer]),
                "dtype": "float32",
                "max_length": str(self._max_length() or "any"),
                "normalised": str(self._normalised()),
                "pooling": "mean of static token vectors",
                "reader": "model2vec" if self._is_model2vec() else "plain",
                "separator": self._spec.separator,
                # Only where there is one: others' old vectors keep their key.
                **({"prompt": template} if template else {}),
            },
        )

    @property
    def reading(self) -> str:
        """That sentence-transformers would read the same folder, which it may do otherwise."""
        told = is_folder(self._locate().folder)
        return f"read as static vectors, not as its {MODULES} says" if told else ""

    def text(self, document: Document, role: Role) -> str:
        joined = join_parts(document.parts, self._spec.separator)
        return prompted(self._spec.prompts, role, document.parts, joined)

    def prepare(self, documents: Sequence[Document]) -> None:
        """Nothing: a vector depends on its text alone."""

    def encode(self, documents: Sequence[Document], role: Role, advance: Advance) -> Vectors:
        """Vectors (len(documents), dimensions), float32, in the order given.

        Raises:
            ModelError: files that cannot be read, or that do not belong together.
        """
        from scipy.sparse import csr_matrix

        tokenizer, table = self._load()
        vectors: Vectors = np.empty((len(documents), table.shape[1]), dtype=np.float32)
        for start in range(0, len(documents), CHUNK):
            texts = [self.text(document, role) for document in documents[start : start + CHUNK]]
            texts = [text[: self._most_characters] for text in texts]
            encoded = tokenizer.encode_batch_fast(texts, add_special_tokens=False)
            ids = [np.array(item.ids, dtype=np.int32) for item in encoded]
            if self._unknown is not None:
                ids = [row[row != self._unknown] for row in ids]
            counts = np.array([len(row) for row in ids])
            # A product instead of a loop over texts: each row holds 1 / n for its n tokens.
            shares = np.repeat(1 / np.maximum(counts, 1), counts).astype(np.float32)
            ends = np.concatenate(([0], np.cumsum(counts)))
            columns = np.concatenate(ids) if ids else np.zeros(0, np.int32)
            means = csr_matrix((shares, columns, ends), shape=(len(ids), len(table))) @ table
            vectors[start : start + len(ids)] = means
            advance(len(ids))
        if self._normalised():
            lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
            vectors /= np.where(lengths > 0, lengths, 1)
        return vectors

    def overlong(self, documents: Sequence[Document], role: Role) -> NDArray[np.bool_]:
        """Which texts (len(documents),) are longer than the longest input."""
        self._locate()  # its config may hold the longest input
        if self._max_length() is None:
            return np.zeros(len(documents), dtype=bool)
        tokenizer, _ = self._load()
        texts = [self.text(document, role) for document in documents]
        encoded = tokenizer.encode_batch_fast(
            [text[: self._most_characters] for text in texts], add_special_tokens=False
        )
        return np.array(
            [
                len(text) > len(text[: self._most_characters]) or bool(item.overflowing)
                for text, item in zip(texts, encoded, strict=True)
            ],
            dtype=bool,
        )

    def _locate(self) -> Snapshot:
        if self._found is None:
            self._found = find(self._spec, offline=self._offline)
            self._config = read_json(self._found.folder / "config.json")
        return self._found

    def _is_model2vec(self) -> bool:
        return self._config.get("model_type") == "model2vec"

    def _max_length(self) -> int | None:
        given = self._config.get("max_length", MODEL2VEC_LENGTH if self._is_model2vec() else None)
        return self._spec.max_length or given

    def _normalised(self) -> bool:
        own = self._spec.normalise
        return bool(self._config.get("normalize", False)) if own is None else own

    def _load(self) -> tuple[Tokenizer, NDArray[np.float32]]:
        if self._tokenizer is None or self._table is None:
            found = self._locate()
            self._table = read_table(found.folder / self._spec.vectors)
            self._tokenizer = read_tokenizer(found.folder / self._spec.tokenizer)
            vocabulary = self._tokenizer.get_vocab(with_added_tokens=True)
            if max(vocabulary.values(), default=-1) >= len(self._table):
                problem = f"{len(vocabulary)} tokens and vectors of {len(self._table)}"
                fix = "Give vectors and tokenizer of one model"
                raise ModelError(problem, where=f"model {self.name}", fix=fix)
            if (limit := self._max_length()) is not None:
                self._tokenizer.enable_truncation(limit)
            if self._is_model2vec():
                self._unknown = unknown_token(self._tokenizer)
                if limit is not None:
                    median = int(np.median([len(token) for token in vocabulary]))
                    self._most_characters = limit * median
        return self._tokenizer, self._table


def find(spec: StaticSpec, *, offline: bool) -> Snapshot:
    """The folder with both files, downloaded where it is the hub's.

    Raises:
        ModelError: no such folder, or a file missing in it.
        HarnessError: see :func:`~.weights.locate`.
    """
    if spec.base.repo is not None:
        found = locate(spec.base, "base", spec, offline=offline)
    elif spec.base.package is not None:
        folder, version = in_package(spec.base.package, spec)
        found = Snapshot("base", spec.base.location, version, folder)
    else:
        found = Snapshot("base", spec.base.location, "local", Path(spec.base.location).expanduser())
    for name in (spec.vectors, spec.tokenizer):
        if not (found.folder / name).is_file():
            where = f"model {spec.name}, {found.folder}"
            raise ModelError(f"no file {name}", where=where, fix="Save or download it again")
    return found


def read_table(path: Path) -> NDArray[np.float32]:
    """Vectors of the tokens (tokens, dimensions), with model2vec's weights and mapping applied.

    Raises:
        ModelError: no safetensors file, or one without such a table.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    fix = "Save or download the model again"
    try:
        tensors = load_file(path)
    except (SafetensorError, OSError, KeyError, TypeError) as error:
        raise ModelError(f"cannot be read: {error}", where=str(path), fix=fix) from error
    table = next((tensors[name] for name in TABLES if name in tensors), None)
    if table is None or table.ndim != 2:
        problem = f"no table {' or '.join(TABLES)} but {', '.join(sorted(tensors)) or 'nothing'}"
        raise ModelError(problem, where=str(path), fix=fix)
    table = table.astype(np.float32)
    if "mapping" in tensors:
        table = table[tensors["mapping"]]
    if "weights" in tensors:
        table = table * tensors["weights"].astype(np.float32)[:, None]
    return table


def read_tokenizer(path: Path) -> Tokenizer:
    """The tokenizer, without padding and cutting.

    Raises:
        ModelError: no file of the library ``tokenizers``.
    """
    from tokenizers import Tokenizer

    try:
        text = path.read_text(encoding="utf-8")
        tokenizer = Tokenizer.from_str(text)
    # The library raises bare exceptions for files that it cannot read.
    except Exception as error:
        problem = f"the tokenizer cannot be read: {error}"
        raise ModelError(problem, where=str(path), fix="Save or download it again") from error
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return tokenizer


def unknown_token(tokenizer: Tokenizer) -> int | None:
    """Id of the token that stands for what the vocabulary lacks, where there is one."""
    model = json.loads(tokenizer.to_str())["model"]
    token = model.get("unk_token")
    found: int | None = model.get("unk_id") if token is None else tokenizer.token_to_id(token)
    return found
