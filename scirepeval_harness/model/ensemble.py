"""Several models as one: vectors side by side, their mean, or the sum of their scores.

The members' vectors are kept in the store under the members' own identities, so that an ensemble of
models that were run before costs nothing; joined vectors are never kept.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import cast

import numpy as np
from numpy.typing import NDArray

from scirepeval_harness.errors import ModelError, SpecError
from scirepeval_harness.model.base import (
    Advance,
    EncodeOptions,
    Encoder,
    Identity,
    Model,
    Ranker,
    Vectors,
    build_model,
    fetch_model,
    in_task,
)
from scirepeval_harness.model.kinds import EnsembleSpec
from scirepeval_harness.model.registry import load_models, resolve_model
from scirepeval_harness.model.spec import ModelSpec
from scirepeval_harness.model.weights import Snapshot
from scirepeval_harness.roles import Role
from scirepeval_harness.task.dataset import Document
from scirepeval_harness.task.spec import TaskSpec


class EnsembleEncoder:
    """Joins the vectors of its members; satisfies :class:`~.base.JointEncoder`."""

    cacheable = False

    def __init__(self, spec: EnsembleSpec, members: Sequence[Encoder]) -> None:
        self.name, self.members = spec.name, tuple(members)
        self._spec = spec

    def for_task(self, task: TaskSpec) -> EnsembleEncoder:
        """With each member as it encodes for a task."""
        members = [in_task(member, task) for member in self.members]
        changed = any(a is not b for a, b in zip(members, self.members, strict=True))
        return EnsembleEncoder(self._spec, members) if changed else self

    def identity(self, role: Role) -> Identity:
        """The identities of all members, and how they are joined.

        Raises:
            ModelError: a mean of vectors that are known to differ in length.
        """
        if self._spec.combine == "mean":
            self._check([getattr(member, "dimensions", 0) or 0 for member in self.members])
        return _identity(self._spec, self.members, role)

    def text(self, document: Document, role: Role) -> str:
        """That of the first member: each encodes its own."""
        return self.members[0].text(document, role)

    def prepare(self, documents: Sequence[Document]) -> None:
        for member in self.members:
            member.prepare(documents)

    def encode(self, documents: Sequence[Document], role: Role, advance: Advance) -> Vectors:
        """Joined vectors (len(documents), dimensions), float32, in the order given.

        Raises:
            ModelError: see :meth:`join`, and what the members raise.
        """
        silent: Advance = lambda count: None  # noqa: E731
        made = [member.encode(documents, role, silent) for member in self.members]
        advance(len(documents))
        return self.join(made)

    def join(self, vectors: Sequence[Vectors]) -> Vectors:
        """The members' vectors of the same texts, each (texts, its dimensions), as one.

        Raises:
            ModelError: a mean of vectors that differ in length.
        """
        if self._spec.normalise:
            vectors = [_unit(one) for one in vectors]
        if self._spec.combine == "concatenate":
            return np.concatenate(vectors, axis=1)
        self._check([one.shape[1] for one in vectors])
        mean: Vectors = np.mean(vectors, axis=0, dtype=np.float32)
        return mean

    def _check(self, dimensions: Sequence[int]) -> None:
        if len({length for length in dimensions if length}) > 1:
            each = ", ".join(
                f"{member.name} {length}"
                for member, length in zip(self.members, dimensions, strict=True)
            )
            raise ModelError(
                f"no mean of vectors of other dimensions: {each}",
                where=f"model {self.name}",
                fix='Use combine = "concatenate" or "scores"',
            )


class EnsembleRanker:
    """Sums the standardised scores of its members; satisfies :class:`~.base.Ranker` once
    :meth:`of` has put a ranker in the place of each encoder."""

    def __init__(self, spec: EnsembleSpec, members: Sequence[Model]) -> None:
        self.name, self.members = spec.name, tuple(members)
        self._spec = spec

    def of(self, rankers: Sequence[Ranker]) -> EnsembleRanker:
        """The same ensemble of other members."""
        return EnsembleRanker(self._spec, rankers)

    def for_task(self, task: TaskSpec) -> EnsembleRanker:
        """With each member as it encodes for a task."""
        members = [in_task(member, task) for member in self.members]
        changed = any(a is not b for a, b in zip(members, self.members, strict=True))
        return EnsembleRanker(self._spec, members) if changed else self

    def identity(self, role: Role) -> Identity:
        """The identities of all members, and that their scores are summed."""
        return _identity(self._spec, self.members, role)

    def prepare(self, documents: Sequence[Document]) -> None:
        for member in self.members:
            member.prepare(documents)

    def score(self, query: Document, candidates: Sequence[Document]) -> NDArray[np.float64]:
        """Sums (len(candidates),) of each member's scores in standard deviations from their mean
        over these candidates; a member that scores all alike adds nothing."""
        total = np.zeros(len(candidates), dtype=np.float64)
        for ranker in cast(tuple[Ranker, ...], self.members):
            scores = np.asarray(ranker.score(query, candidates), dtype=np.float64)
            # Whether they differ is asked of the scores: their deviation is never exactly 0.
            if len(scores) and scores.min() < scores.max():
                total += (scores - scores.mean()) / scores.std()
        return total


class VectorRanker:
    """An encoder's vectors as a ranker: ``scorer`` gives the scores of ids."""

    def __init__(
        self, encoder: Model, scorer: Callable[[str, Sequence[str]], NDArray[np.float64]]
    ) -> None:
        self.name = encoder.name
        self._encoder, self._scorer = encoder, scorer

    def identity(self, role: Role) -> Identity:
        return self._encoder.identity(role)

    def prepare(self, documents: Sequence[Document]) -> None:
        """Nothing: the vectors are there."""

    def score(self, query: Document, candidates: Sequence[Document]) -> NDArray[np.float64]:
        return self._scorer(query.id, [candidate.id for candidate in candidates])


def build(spec: EnsembleSpec, options: EncodeOptions) -> Model:
    """The ensemble of a description, with its members.

    Raises:
        SpecError: a member that is an ensemble itself, or has no vectors to be joined.
        HarnessError: what resolving and building a member raises.
    """
    specs = member_specs(spec)
    for member in specs:
        if spec.has_vectors and not member.has_vectors:
            raise SpecError(
                f"member {member.name} has no vectors, and so runs other tasks than the others",
                where=f"model {spec.name}",
                fix='Use combine = "scores", for ranking tasks',
            )
    members = [build_model(member, options) for member in specs]
    if spec.has_vectors:
        return EnsembleEncoder(spec, cast(list[Encoder], members))
    return EnsembleRanker(spec, members)


def fetch(spec: EnsembleSpec) -> tuple[Snapshot, ...]:
    """Download what the members need; raises as :func:`~.base.fetch_model` does."""
    return tuple(found for member in member_specs(spec) for found in fetch_model(member))


def member_specs(spec: EnsembleSpec) -> list[ModelSpec]:
    """The descriptions of its members; raises SpecError where one is an ensemble itself."""
    known = load_models()
    members = [resolve_model(text, known) for text in spec.members]
    if nested := [member.name for member in members if isinstance(member, EnsembleSpec)]:
        problem = f"member {nested[0]} is an ensemble itself"
        raise SpecError(problem, where=f"model {spec.name}", fix="Name its members instead")
    return members


def _identity(spec: EnsembleSpec, members: Sequence[Model], role: Role) -> Identity:
    each = [member.identity(role) for member in members]
    details: dict[str, str] = {"combine": spec.combine}
    if spec.has_vectors:
        details["normalised_members"] = str(spec.normalise)
    for number, identity in enumerate(each, start=1):
        own = {"model": identity.model, **identity.details}
        details |= {f"{number} {key}": value for key, value in own.items()}
    widths = dict.fromkeys(one.details["dtype"] for one in each if "dtype" in one.details)
    if widths:
        details["dtype"] = ", ".join(widths)
    return Identity(spec.name, role, details, all(identity.complete for identity in each))


def _unit(vectors: Vectors) -> Vectors:
    lengths: Vectors = np.linalg.norm(vectors, axis=1, keepdims=True).astype(np.float32)
    return np.asarray(vectors / np.where(lengths > 0, lengths, 1), dtype=np.float32)
