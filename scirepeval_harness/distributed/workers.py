"""What runs on the cluster's machines: settling hardware, tokenising windows, encoding chunks."""

from __future__ import annotations

import platform
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

import scirepeval_harness
from scirepeval_harness.distributed.blocks import Chunk, Encoded, Window
from scirepeval_harness.encoders.devices import choose_devices, choose_precision, tokens_a_batch
from scirepeval_harness.encoders.options import EncodeOptions
from scirepeval_harness.encoding.batches import EncodeStats
from scirepeval_harness.errors import ModelError
from scirepeval_harness.roles import Role
from scirepeval_harness.specs.model import ModelSpec

if TYPE_CHECKING:
    import pyarrow as pa

    from scirepeval_harness.encoders.transformer import TransformerEncoder

BATCHES_A_CHUNK = 4
"""Few enough that little is done again when a worker dies, enough to hide the way there."""


@dataclass(frozen=True)
class Assignment:
    """One model, with everything settled that changes a vector or its batch.

    ``details`` has for each role the identity that the driver found: a worker whose files differ
    must not encode.
    """

    spec: ModelSpec
    options: EncodeOptions
    details: Mapping[Role, Mapping[str, str]]
    version: str = scirepeval_harness.__version__


def settle(options: EncodeOptions) -> EncodeOptions:
    """Device, precision and tokens a batch as the machine that calls this would choose them."""
    devices = choose_devices(options.device)
    precision = choose_precision(options.dtype, devices)
    budget = tokens_a_batch(options.batch_tokens, devices, precision)
    return replace(options, device=",".join(devices), dtype=precision, batch_tokens=budget)


def tokenise_windows(table: pa.Table, assignment: Assignment) -> Iterator[pa.Table]:
    """Windows of texts as chunks of batches, one row each: the batches that one machine alone
    would encode. Loads a tokenizer and no weights."""
    # The processor, whatever the workers have: this task holds no card.
    encoder = _encoder(assignment.spec, replace(assignment.options, device="cpu"))
    for window in Window.rows(table):
        tokens = encoder.tokenise(window.texts)
        batches = encoder.cut(tokens)
        for first in range(0, len(batches), BATCHES_A_CHUNK):
            yield Chunk.of(window, tokens, batches[first : first + BATCHES_A_CHUNK]).table()


class ChunkEncoder:
    """Holds a model, from the first chunk on, and encodes chunks; one on each device."""

    def __init__(self, assignment: Assignment) -> None:
        self._assignment = assignment
        self._opened: TransformerEncoder | None = None
        self._checked: set[Role] = set()

    def __call__(self, table: pa.Table) -> Iterator[pa.Table]:
        """The vectors of each row's documents.

        Raises:
            ModelError: files or a version of the harness that differ from the driver's.
        """
        for chunk in Chunk.rows(table):
            encoder = self._ready(chunk.role)
            encoder.stats = stats = EncodeStats()
            parts = list(encoder.encode_tokens(chunk.tokens, chunk.role, chunk.batches))
            rows = np.concatenate([rows for rows, _ in parts])
            vectors = np.concatenate([vectors for _, vectors in parts])
            yield Encoded(chunk.order, chunk.places[rows], vectors, stats).table()

    def _ready(self, role: Role) -> TransformerEncoder:
        """The encoder, once it is known to be the driver's in this role."""
        own = self._assignment
        if self._opened is not None and role in self._checked:
            return self._opened
        where = f"model {own.spec.name} on {platform.node()}"
        if own.version != scirepeval_harness.__version__:
            raise ModelError(
                f"scirepeval-harness {scirepeval_harness.__version__} there, {own.version} here",
                where=where,
                fix="Install the same version on every machine",
            )
        encoder = self._opened or _encoder(own.spec, own.options)
        there, here = encoder.identity(role).details, own.details[role]
        differing = sorted(name for name in {*there, *here} if there.get(name) != here.get(name))
        if differing:
            raise ModelError(
                f"its files are not those of the machine that runs the evaluation "
                f"({', '.join(differing)})",
                where=where,
                fix="Pin a revision with NAME@REVISION, or put the same files on every machine",
            )
        self._opened = encoder
        self._checked.add(role)
        return encoder


def _encoder(spec: ModelSpec, options: EncodeOptions) -> TransformerEncoder:
    from scirepeval_harness.encoders.transformer import TransformerEncoder

    return TransformerEncoder(spec, options)
