"""The kinds of model that are built in: each names its spec and its encoder.

They stand together, away from their encoders, because listing models must load none of those.
"""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, Self

from pydantic import AfterValidator, Field, PrivateAttr, model_validator

from scirepeval_harness.errors import MissingExtraError
from scirepeval_harness.model.modules import MODULES
from scirepeval_harness.model.prompts import Use, check_template, in_task, template_for
from scirepeval_harness.model.spec import NOT_REGISTERED, ModelKind, ModelSpec, beside
from scirepeval_harness.roles import Role
from scirepeval_harness.task.spec import Strict, TaskSpec

if TYPE_CHECKING:
    from scirepeval_harness.model.base import EncodeOptions, Model
    from scirepeval_harness.model.weights import Snapshot

Pooling = Literal["cls", "second", "mean", "last", "max", "weighted_mean"]
Template = Annotated[str, AfterValidator(check_template)]
Setting = str | int | float | bool
VECTOR_SUFFIXES = (".jsonl", ".parquet", ".npz")
ROLE_FILES = (*(role.value for role in Role), "all")


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

    def with_revision(self) -> str:
        """The location and, of a repository, its revision, in words."""
        if self.repo is None:
            return self.location
        return f"{self.repo} @ {self.revision or 'main (the commit is recorded in results)'}"

    def placed(self, folder: Path) -> Weights:
        """The same weights, a relative path seen from ``folder``."""
        if self.path is None:
            return self
        return self.model_copy(update={"path": beside(folder, self.path)})


class WeightsSpec(ModelSpec):
    """A model whose weights are run here, on tokens.

    ``prompts`` are templates by use (see :mod:`.prompts`), ``task_prompts`` those of single tasks
    by name, which go before them. ``truncate_dim`` keeps so many first dimensions of a vector,
    ``normalize`` then scales it to length 1.
    """

    base: Weights
    prompts: dict[Use, Template] = Field(default={})
    task_prompts: dict[str, dict[Use, Template]] = Field(default={})
    truncate_dim: int | None = Field(default=None, ge=1)
    normalize: bool = False

    def for_task(self, task: TaskSpec) -> Self:
        """The model with the prompts that it has in a task; itself where those are the usual."""
        own = {**self.prompts, **self.task_prompts.get(task.name, {})}
        chosen = in_task(own, task.format)
        if not self.task_prompts and all(
            template_for(chosen, role) == template_for(self.prompts, role) for role in Role
        ):
            return self
        return self.model_copy(update={"prompts": chosen, "task_prompts": {}})

    def base_in_words(self) -> str:
        return self.base.location

    def vector_rows(self) -> list[tuple[str, str]]:
        """Prompts and what is done to a vector, where they are set, to print."""
        rows = [(f"prompt {use}", template) for use, template in self.prompts.items()]
        for task, prompts in self.task_prompts.items():
            rows += [(f"prompt {use} in {task}", template) for use, template in prompts.items()]
        if self.truncate_dim is not None:
            rows.append(("dimensions kept", str(self.truncate_dim)))
        if self.normalize:
            rows.append(("normalised", "to length 1"))
        return rows


class SentenceTransformerSpec(WeightsSpec):
    """A folder or repository with ``modules.json``, run as sentence-transformers runs it.

    Pooling, prompts and longest input are the folder's own where the file says nothing.
    """

    kind: Literal["sentence_transformers"] = "sentence_transformers"
    extra: str | None = "sentence-transformers"
    max_length: int | None = Field(default=None, ge=2)

    def use_of(self, role: Role) -> str:
        """The prompt, or whose it is."""
        template = template_for(self.prompts, role)
        if template is not None:
            return f"prompt {template}"
        side = "query" if role is Role.QUERY else "document"
        return f"{self.base.location} (encode_{side}, with the folder's prompt)"

    def rows(self) -> list[tuple[str, str]]:
        """Base and length, and what the file says over the folder."""
        length = f"{self.max_length} tokens" if self.max_length else "the folder's"
        return [
            ("base", self.base.with_revision()),
            ("read by", "sentence-transformers, with the modules and prompts of its modules.json"),
            ("maximum length", length),
            *self.vector_rows(),
            *((f"role {role}", self.use_of(role)) for role in Role),
        ]

    def placed(self, folder: Path) -> Self:
        return self.model_copy(update={"base": self.base.placed(folder)})


class TransformerSpec(WeightsSpec):
    """A transformer with pooling.

    ``adapters`` and ``control_codes`` map a role to what the model does for it; a role that is in
    neither is encoded by the base model alone.
    """

    kind: Literal["transformer"] = "transformer"
    adapters: dict[Role, Weights] = Field(default={})
    control_codes: dict[Role, str] = Field(default={})
    pooling: Pooling = "cls"
    max_length: int = Field(default=512, ge=2)
    _asked: tuple[bool, int | None] | None = PrivateAttr(default=None)

    def read_as_asked(self, pooling: bool, max_length: int | None) -> Self:
        """The same, of weights that are not registered: whether its pooling was asked for, and
        which maximum length."""
        self._asked = pooling, max_length
        return self

    def with_modules(self) -> SentenceTransformerSpec | None:
        """The model as sentence-transformers reads a folder that has ``modules.json``; None where
        the reading is settled, by a file or because a pooling was asked for."""
        if self._asked is None or self._asked[0]:
            return None
        return SentenceTransformerSpec(
            name=self.name,
            title=self.title,
            base=self.base,
            prompts=self.prompts,
            normalize=self.normalize,
            truncate_dim=self.truncate_dim,
            max_length=self._asked[1],
            notes=f"{NOT_REGISTERED}; read by sentence-transformers: it has {MODULES}.",
        )

    @model_validator(mode="after")
    def check_one_way_of_roles(self) -> Self:
        # The paper trains either or: a file with both is a mistake, not a third kind of model.
        if self.control_codes and self.adapters:
            raise ValueError("a model has adapters or control codes, not both")
        return self

    def use_of(self, role: Role) -> str:
        """The adapter, the code, or the base alone."""
        if role in self.adapters:
            return self.adapters[role].location
        if role in self.control_codes:
            return f"control code {self.control_codes[role]}"
        if template := template_for(self.prompts, role):
            return f"prompt {template}"
        return f"{self.base.location} (no adapter)"

    def roles_in_words(self) -> str:
        if self.adapters:
            return f"{len(self.adapters)} adapters"
        return f"{len(self.control_codes)} control codes" if self.control_codes else "-"

    def rows(self) -> list[tuple[str, str]]:
        """Base, pooling, length, and what each role gets, with revisions."""
        given = {role: weights.with_revision() for role, weights in self.adapters.items()}
        return [
            ("base", self.base.with_revision()),
            ("pooling", self.pooling),
            ("maximum length", f"{self.max_length} tokens"),
            *self.vector_rows(),
            *((f"role {role}", given.get(role) or self.use_of(role)) for role in Role),
        ]

    def placed(self, folder: Path) -> Self:
        adapters = {role: weights.placed(folder) for role, weights in self.adapters.items()}
        # A copy and no validation: nothing but paths changes, and those were checked as given.
        return self.model_copy(update={"base": self.base.placed(folder), "adapters": adapters})


class LexicalSpec(ModelSpec):
    """A lexical baseline; ``settings`` stand over the defaults of :mod:`.lexical`."""

    kind: Literal["tfidf", "bm25"]
    settings: dict[str, Setting] = Field(default={})

    def rows(self) -> list[tuple[str, str]]:
        return [(f"setting {key}", str(value)) for key, value in self.settings.items()]


class PrecomputedSpec(ModelSpec):
    """Vectors made elsewhere; ``files`` maps a role, or ``all``, to a file of them."""

    kind: Literal["precomputed"] = "precomputed"
    files: dict[str, str] = Field(min_length=1)

    def rows(self) -> list[tuple[str, str]]:
        return [(f"vectors {role}", path) for role, path in self.files.items()]

    def placed(self, folder: Path) -> Self:
        files = {role: beside(folder, path) for role, path in self.files.items()}
        return self.model_copy(update={"files": files})


def demand_libraries(spec: WeightsSpec) -> None:
    """Raises MissingExtraError where a model's libraries are not installed."""
    needed = ["torch", "transformers"]
    if isinstance(spec, SentenceTransformerSpec):
        needed.append("sentence_transformers")
    missing = [name for name in needed if not _installed(name)]
    if missing:
        raise MissingExtraError(
            f"{' and '.join(missing)} not installed",
            where=f"model {spec.name}",
            fix=f"Run: pip install 'scirepeval-harness[{spec.extra or 'models'}]'",
        )


def _installed(name: str) -> bool:
    # A module that is loaded may lack the spec that find_spec reads, as ``adapters`` does.
    if name in sys.modules:
        return sys.modules[name] is not None
    return importlib.util.find_spec(name) is not None


def _transformer(spec: TransformerSpec, options: EncodeOptions) -> Model:
    # Asked before the import, whose own error would name a module and not what to install.
    demand_libraries(spec)
    from scirepeval_harness.model.transformer import TransformerEncoder

    return TransformerEncoder(spec, options)


def _sentence_transformer(spec: SentenceTransformerSpec, options: EncodeOptions) -> Model:
    demand_libraries(spec)
    from scirepeval_harness.model.sentence_transformer import SentenceTransformerEncoder

    return SentenceTransformerEncoder(spec, options)


def _fetch(spec: WeightsSpec) -> tuple[Snapshot, ...]:
    from scirepeval_harness.model.weights import fetch

    return fetch(spec)


def _tfidf(spec: LexicalSpec, options: EncodeOptions) -> Model:
    from scirepeval_harness.model.lexical import TfidfEncoder

    return TfidfEncoder(spec)


def _bm25(spec: LexicalSpec, options: EncodeOptions) -> Model:
    from scirepeval_harness.model.lexical import Bm25Ranker

    return Bm25Ranker(spec)


def _precomputed(spec: PrecomputedSpec, options: EncodeOptions) -> Model:
    from scirepeval_harness.model.precomputed import PrecomputedEncoder

    return PrecomputedEncoder(spec)


TRANSFORMER = ModelKind(TransformerSpec, _transformer, "encode", _fetch)
SENTENCE_TRANSFORMERS = ModelKind(SentenceTransformerSpec, _sentence_transformer, "encode", _fetch)
TFIDF = ModelKind(LexicalSpec, _tfidf, "fit")
BM25 = ModelKind(LexicalSpec, _bm25, "rank")
PRECOMPUTED = ModelKind(PrecomputedSpec, _precomputed, "look up")
