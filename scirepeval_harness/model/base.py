"""What every model offers to the rest of the harness, and the way from its description to it."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, Self, TypeVar, cast, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from scirepeval_harness.model.engine import EncodeStats
from scirepeval_harness.model.spec import ModelSpec
from scirepeval_harness.model.weights import Snapshot, as_read
from scirepeval_harness.progress import Advance as Advance
from scirepeval_harness.roles import Role
from scirepeval_harness.task.dataset import Document
from scirepeval_harness.task.spec import TaskSpec

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

    from scirepeval_harness.model.kinds import PromptedSpec

Vectors = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Identity:
    """All that determines the vectors of one role, for the record and the store's key.

    ``details`` holds printable values only: repositories, revisions, weight fingerprints, pooling,
    maximum length, precision. Two encoders with equal details yield equal vectors for equal texts,
    unless ``complete`` is False: then nobody can say so, and no vector outlives the run. ``places``
    names the details that say where the model was found and not what it is: a folder or a file that
    has moved is the same model.
    """

    model: str
    role: Role
    details: Mapping[str, str]
    complete: bool = True
    places: frozenset[str] = frozenset()


class Encoder(Protocol):
    """A model that turns each document into one vector."""

    name: str
    cacheable: bool
    """True where a vector depends on text and role alone, so that the store may keep it."""

    def identity(self, role: Role) -> Identity:
        """What determines the vectors of a role. Must not load the weights onto a device."""
        ...

    def text(self, document: Document, role: Role) -> str:
        """The exact text that is encoded for a document: parts joined by the model's separator."""
        ...

    def prepare(self, documents: Sequence[Document]) -> None:
        """Fit what depends on the collection (TF-IDF's vocabulary); nothing for most models."""
        ...

    def encode(self, documents: Sequence[Document], role: Role, advance: Advance) -> Vectors:
        """Vectors (len(documents), dimensions), float32, finite, in the order given."""
        ...


class Prompted:
    """An encoder whose prompts may differ from task to task."""

    _spec: PromptedSpec

    def for_task(self, task: TaskSpec) -> Self:
        """The same encoder, with the same weights and counts, with the prompts that it has in a
        task; itself where they are none."""
        spec = self._spec.for_task(task)
        if spec is self._spec:
            return self
        view = copy.copy(self)
        view._spec = spec
        return view


@runtime_checkable
class PartialEncoder(Encoder, Protocol):
    """An encoder that may have no vector of a document, as a file of vectors."""

    def lacks(self, documents: Sequence[Document], role: Role) -> list[str]:
        """Ids of the documents that it cannot encode."""
        ...


@runtime_checkable
class SparseEncoder(Encoder, Protocol):
    """An encoder whose vectors are nearly all zeros, and much larger written out than kept."""

    def encode_sparse(
        self, documents: Sequence[Document], role: Role, advance: Advance
    ) -> csr_matrix:
        """As ``encode``: (len(documents), dimensions), float32, finite, in compressed rows."""
        ...


@runtime_checkable
class BatchEncoder(Encoder, Protocol):
    """An encoder that hands out each batch when it is done, and counts tokens without weights."""

    stats: EncodeStats

    @property
    def hardware(self) -> str:
        """Devices and machine, for the rate at which they encoded."""
        ...

    def encode_batches(
        self, documents: Sequence[Document], role: Role
    ) -> Iterator[tuple[NDArray[np.intp], Vectors]]:
        """Positions in ``documents`` with their vectors, each position once, in any order."""
        ...

    def count_tokens(self, documents: Sequence[Document], role: Role) -> NDArray[np.int64]:
        """Tokens of each document as encoded; loads a tokenizer and no weights."""
        ...


@runtime_checkable
class CutEncoder(Encoder, Protocol):
    """An encoder with a longest input, beyond which texts lose their end."""

    def overlong(self, documents: Sequence[Document], role: Role) -> NDArray[np.bool_] | None:
        """Which texts (len(documents),) are longer than that; None where it cannot say. Loads a
        tokenizer and no weights."""
        ...


@runtime_checkable
class OrderEncoder(BatchEncoder, Protocol):
    """An encoder that is slow to start, and so would rather know all the work of a run at once."""

    def encode_orders(
        self, orders: Sequence[tuple[Sequence[Document], Role]]
    ) -> Iterator[tuple[int, NDArray[np.intp], Vectors]]:
        """As ``encode_batches`` for several requests: the number of the request comes first."""
        ...


@runtime_checkable
class JointEncoder(Encoder, Protocol):
    """An encoder made of others, whose vectors are kept and not its own."""

    members: tuple[Encoder, ...]

    def join(self, vectors: Sequence[Vectors]) -> Vectors:
        """One vector a text from those of each member, all of the same texts in one order."""
        ...


@runtime_checkable
class Metered(Protocol):
    """An encoder that somebody else counts and may charge for: tokens are estimated before."""

    price: float | None
    """US dollars a million tokens; None where it is not known."""

    def usage(self) -> dict[str, float]:
        """What was counted so far: ``requests``, ``tokens``, and ``usd`` where there is a price."""
        ...


@runtime_checkable
class Placed(Protocol):
    """An encoder that says where it computes; of any other, nobody knows."""

    @property
    def devices(self) -> tuple[str, ...]:
        """Devices as torch names them, or another word for a machine that is not this one."""
        ...


class Ranker(Protocol):
    """A model that scores candidates for a query directly, without vectors (BM25)."""

    name: str

    def identity(self, role: Role) -> Identity: ...

    def prepare(self, documents: Sequence[Document]) -> None:
        """Index the candidate documents of a task; term statistics come from these."""
        ...

    def score(self, query: Document, candidates: Sequence[Document]) -> NDArray[np.float64]:
        """One score a candidate, higher is better, in the order given."""
        ...


M = TypeVar("M")
Model = Encoder | Ranker  # a union and no base class: users' objects inherit nothing of ours


@dataclass(frozen=True, slots=True)
class EncodeOptions:
    """Choices for encoding; None lets the machine decide.

    ``device`` may name several, separated by commas; ``dtype`` is float32, tf32, bfloat16 or
    float16; ``batch_tokens`` is the number of padded tokens a batch. ``elsewhere``: the weights run
    on another machine, which has looked whether it can.
    """

    device: str | None = None
    dtype: str | None = None
    batch_tokens: int | None = None
    offline: bool = False
    compile: bool = False
    elsewhere: bool = False


def members_of(model: Model) -> tuple[Model, ...]:
    """The models of which an ensemble is made; of any other, itself."""
    members: tuple[Model, ...] = getattr(model, "members", (model,))
    return members


def leaves_processors(encoder: Encoder) -> bool:
    """Whether this machine's processors have little to do while the encoder works."""
    places = encoder.devices if isinstance(encoder, Placed) else ()
    return bool(places) and not any(place.startswith("cpu") for place in places)


def join_parts(parts: Sequence[str], separator: str) -> str:
    """The non-empty parts, unchanged, joined by ``separator`` exactly as given."""
    return separator.join(part for part in parts if part)


def in_task(model: M, task: TaskSpec) -> M:
    """The model as it encodes for a task: some have prompts of single tasks, which are all that a
    model's ``for_task(task)`` may change."""
    return model.for_task(task) if hasattr(model, "for_task") else model


def kept_encoders(model: Model, task: TaskSpec) -> list[Encoder]:
    """Who makes the vectors of a task that the store keeps: the model or the members of an
    ensemble, each as it encodes for the task; none of what is fitted, looked up or ranks."""
    members = members_of(in_task(model, task))
    return [cast(Encoder, one) for one in members if getattr(one, "cacheable", False)]


def build_model(spec: ModelSpec, options: EncodeOptions) -> Model:
    """The encoder or ranker of a description. Weights are loaded when first used.

    Raises:
        UnknownNameError: a kind of model that no package here has.
        MissingExtraError: torch or transformers are needed and not installed.
        UsageError: a device or precision that this machine does not have.
        SpecError, DataError: settings or files of vectors that are wrong.
    """
    read = as_read(spec, offline=options.offline)
    return read.implementation.build(read, options)


def fetch_model(spec: ModelSpec) -> tuple[Snapshot, ...]:
    """Download what a model needs ahead of a run; empty for models that need no weights.

    Raises:
        ModelError, OfflineError, StorageError, MissingExtraError: see :func:`~.weights.locate`.
    """
    read = as_read(spec, offline=False)
    return read.implementation.fetch(read)
