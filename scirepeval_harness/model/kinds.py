"""The kinds of model that are built in: each names its spec and its encoder.

They stand together, away from their encoders, because listing models must load none of those.
"""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, field_validator, model_validator

from scirepeval_harness.errors import MissingExtraError
from scirepeval_harness.model.spec import ModelKind, ModelSpec, beside
from scirepeval_harness.roles import Role
from scirepeval_harness.task.spec import Strict

if TYPE_CHECKING:
    from scirepeval_harness.model.base import EncodeOptions, Model
    from scirepeval_harness.model.weights import Snapshot

Pooling = Literal["cls", "second", "mean"]
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


class TransformerSpec(ModelSpec):
    """A transformer with pooling.

    ``adapters`` and ``control_codes`` map a role to what the model does for it; a role that is in
    neither is encoded by the base model alone.
    """

    kind: Literal["transformer"] = "transformer"
    base: Weights
    adapters: dict[Role, Weights] = Field(default={})
    control_codes: dict[Role, str] = Field(default={})
    pooling: Pooling = "cls"
    max_length: int = Field(default=512, ge=2)

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
        return f"{self.base.location} (no adapter)"

    def base_in_words(self) -> str:
        return self.base.location

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


class EndpointSpec(ModelSpec):
    """Vectors from a server that speaks the OpenAI form: ``POST URL/embeddings``.

    ``key_variable`` names the environment variable with the key; without it OPENAI_API_KEY is used
    where it cannot be overheard: over https, or on this machine. ``revision`` is what the user
    knows of the weights behind the name, ``parameters`` are further fields of a request; both
    belong to the identity. ``price`` is in US dollars a million tokens.
    """

    kind: Literal["endpoint"] = "endpoint"
    url: str = "https://api.openai.com/v1"
    model: str = Field(min_length=1)
    revision: str = ""
    key_variable: str | None = None
    separator: str = " "
    dimensions: int | None = Field(default=None, ge=1)
    parameters: dict[str, Setting] = Field(default={})
    batch_texts: int = Field(default=32, ge=1)
    concurrency: int = Field(default=4, ge=1)
    requests_per_minute: float | None = Field(default=None, gt=0)
    timeout: float = Field(default=60.0, gt=0)
    attempts: int = Field(default=6, ge=1)
    price: float | None = Field(default=None, ge=0)

    @field_validator("url")
    @classmethod
    def check_url(cls, url: str) -> str:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError("give a URL such as https://host/v1")
        # The URL stands in every record; a key has no business there.
        if parts.username or parts.password or parts.query or parts.fragment:
            raise ValueError("no user, password or query in the URL; a key goes into key_variable")
        path = parts.path.rstrip("/").removesuffix("/embeddings")
        return f"{parts.scheme}://{parts.netloc}{path or '/v1'}"

    @field_validator("parameters")
    @classmethod
    def check_parameters(cls, parameters: dict[str, Setting]) -> dict[str, Setting]:
        if taken := {"model", "input", "dimensions", "encoding_format"}.intersection(parameters):
            raise ValueError(f"{min(taken)} is no further field: the harness sets it")
        return parameters

    def base_in_words(self) -> str:
        return f"{self.model} at {urlsplit(self.url).netloc}"


class StaticSpec(ModelSpec):
    """The mean of a text's static token vectors: a folder of model2vec, or the same two files in
    another package.

    ``max_length`` in tokens; what is None here is as the folder's config.json says.
    """

    kind: Literal["static"] = "static"
    base: Weights
    vectors: str = "model.safetensors"
    tokenizer: str = "tokenizer.json"
    separator: str = " "
    normalise: bool | None = None
    max_length: int | None = Field(default=None, ge=1)

    def base_in_words(self) -> str:
        return self.base.location

    def rows(self) -> list[tuple[str, str]]:
        return [("base", self.base.with_revision()), ("pooling", "mean of static token vectors")]

    def placed(self, folder: Path) -> Self:
        return self.model_copy(update={"base": self.base.placed(folder)})


class EnsembleSpec(ModelSpec):
    """Several models as one: their vectors side by side or their mean, or the sum of their scores.

    ``members`` are models as ``--model`` takes them; a path is relative to the file, and begins
    with ``.`` or ends as a file of models or vectors. ``normalise`` scales the vectors of each
    member to length 1 first, so that none outweighs the others. Of ``scores``, each member's are
    standardised over the candidates of a query.
    """

    kind: Literal["ensemble"] = "ensemble"
    members: tuple[str, ...] = Field(min_length=2)
    combine: Literal["concatenate", "mean", "scores"]
    normalise: bool = True

    @property
    def has_vectors(self) -> bool:
        return self.combine != "scores"

    def base_in_words(self) -> str:
        return " + ".join(self.members)

    def rows(self) -> list[tuple[str, str]]:
        return [("combine", self.combine), ("members", ", ".join(self.members))]

    def placed(self, folder: Path) -> Self:
        paths = (*VECTOR_SUFFIXES, ".toml")
        members = tuple(
            beside(folder, text) if text.startswith((".", "~")) or text.endswith(paths) else text
            for text in self.members
        )
        return self.model_copy(update={"members": members})


def demand_libraries(spec: ModelSpec, names: tuple[str, ...] = ("torch", "transformers")) -> None:
    """Raises MissingExtraError where the libraries of a kind of model are not installed."""
    missing = [name for name in names if not _installed(name)]
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


def _fetch(spec: TransformerSpec) -> tuple[Snapshot, ...]:
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


def _ensemble(spec: EnsembleSpec, options: EncodeOptions) -> Model:
    from scirepeval_harness.model.ensemble import build

    return build(spec, options)


def _fetch_ensemble(spec: EnsembleSpec) -> tuple[Snapshot, ...]:
    from scirepeval_harness.model.ensemble import fetch

    return fetch(spec)


def _static(spec: StaticSpec, options: EncodeOptions) -> Model:
    demand_libraries(spec, ("tokenizers",))
    from scirepeval_harness.model.static import StaticEncoder

    return StaticEncoder(spec, options)


def _fetch_static(spec: StaticSpec) -> tuple[Snapshot, ...]:
    from scirepeval_harness.model.static import find

    return (find(spec, offline=False),)


def _endpoint(spec: EndpointSpec, options: EncodeOptions) -> Model:
    from scirepeval_harness.model.endpoint import EndpointEncoder

    return EndpointEncoder(spec, options)


TRANSFORMER = ModelKind(TransformerSpec, _transformer, "encode", _fetch)
TFIDF = ModelKind(LexicalSpec, _tfidf, "fit")
BM25 = ModelKind(LexicalSpec, _bm25, "rank")
PRECOMPUTED = ModelKind(PrecomputedSpec, _precomputed, "look up")
ENDPOINT = ModelKind(EndpointSpec, _endpoint)
STATIC = ModelKind(StaticSpec, _static, "encode", _fetch_static)
ENSEMBLE = ModelKind(EnsembleSpec, _ensemble, "encode", _fetch_ensemble)
