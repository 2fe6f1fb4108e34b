"""The schema of a model file: one embedding model, or lexical baseline, as data."""

from __future__ import annotations

from enum import StrEnum
from typing import Literal, Self

from pydantic import Field, model_validator

from scirepeval_harness.extensions import EVALUATIONS
from scirepeval_harness.roles import Role
from scirepeval_harness.tasks.spec import Strict, TaskSpec

Pooling = Literal["cls", "second", "mean"]


class ModelKind(StrEnum):
    """Which encoder implements a model."""

    TRANSFORMER = "transformer"
    TFIDF = "tfidf"
    BM25 = "bm25"
    PRECOMPUTED = "precomputed"


class Weights(Strict):
    """Where weights lie: a hub repository, a local folder, or a folder inside a Python package.

    ``package`` is the import name, with the folder inside it after a slash.
    """

    repo: str | None = None
    path: str | None = None
    package: str | None = None
    revision: str | None = None

    @model_validator(mode="after")
    def check_one_place(self) -> Self:
        if sum(value is not None for value in (self.repo, self.path, self.package)) != 1:
            raise ValueError("give exactly one of repo, path and package")
        return self

    @property
    def location(self) -> str:
        """The repository, folder or package, without the revision."""
        return str(self.repo or self.path or self.package)


class ModelSpec(Strict):
    """One model.

    ``adapters`` and ``control_codes`` map a role to what the model does for it; a role that is in
    neither is encoded by the base model alone. ``settings`` holds the parameters of lexical models.
    ``files`` maps a role, or ``all``, to a file of precomputed vectors.
    """

    name: str = Field(min_length=1, max_length=200)
    title: str
    kind: ModelKind
    base: Weights | None = None
    adapters: dict[Role, Weights] = Field(default={})
    control_codes: dict[Role, str] = Field(default={})
    pooling: Pooling = "cls"
    max_length: int = Field(default=512, ge=2)
    settings: dict[str, str | int | float | bool] = Field(default={})
    files: dict[str, str] = Field(default={})
    extra: str | None = None
    notes: str = ""
    published_as: tuple[str, ...] = ()

    @model_validator(mode="after")
    def check_parts(self) -> Self:
        if (self.kind is ModelKind.TRANSFORMER) != (self.base is not None):
            raise ValueError("a transformer, and nothing else, has a base")
        if (self.kind is ModelKind.PRECOMPUTED) != bool(self.files):
            raise ValueError("precomputed vectors, and nothing else, have files")
        if self.control_codes and self.adapters:
            raise ValueError("a model has adapters or control codes, not both")
        return self

    def can_run(self, task: TaskSpec) -> bool:
        """Whether the model applies to a task. A lexical ranker scores pairs and has no vectors, so
        that it can rank candidates but feed neither a probe nor reviewer matching nor clustering.
        """
        return EVALUATIONS.get(task.evaluation).takes_rankers or self.kind is not ModelKind.BM25

    def use_of(self, role: Role) -> str:
        """What the model does for a role, in words: the adapter, the code, or the base alone."""
        if role in self.adapters:
            return self.adapters[role].location
        if role in self.control_codes:
            return f"control code {self.control_codes[role]}"
        return f"{self.base.location} (no adapter)" if self.base else self.kind.value
