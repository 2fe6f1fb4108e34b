"""The kinds of model that are built in: each names its spec and its encoder.

They stand together, away from their encoders, because listing models must load none of those.
"""

from __future__ import annotations

import importlib.util
import math
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    Field,
    PlainValidator,
    PrivateAttr,
    StringConstraints,
    field_validator,
    model_validator,
)

from scirepeval_harness.errors import MissingExtraError, OfflineError
from scirepeval_harness.model.modules import MODULES
from scirepeval_harness.model.prompts import Use, check_template, in_task, template_for
from scirepeval_harness.model.spec import NOT_REGISTERED, ModelKind, ModelSpec, Text, beside
from scirepeval_harness.roles import Role
from scirepeval_harness.schema import shown
from scirepeval_harness.task.spec import Strict, TaskSpec

if TYPE_CHECKING:
    from scirepeval_harness.model.base import EncodeOptions, Model
    from scirepeval_harness.model.weights import Snapshot

Pooling = Literal["cls", "second", "mean", "last", "max", "weighted_mean"]
Setting = str | int | float | bool
Template = Annotated[str, AfterValidator(check_template)]
VECTOR_SUFFIXES = (".jsonl", ".parquet", ".npz")
ROLE_FILES = (*(role.value for role in Role), "all")
# Tokens: more than any model has positions.
LONGEST = 2**22
# ORGANISATION/NAME, or the name alone, which old repositories have.
HUB_ID = r"^\w[\w.-]*(/\w[\w.-]*)?$"
# An import name, and folders that do not lead out of the package.
PACKAGE = r"^[A-Za-z_]\w*(\.[A-Za-z_]\w*)*(/\w[\w.-]*)*$"


class Weights(Strict):
    """Where weights lie: a hub repository, a local folder, or a folder inside a Python package.

    ``package`` is the import name, with the folder inside it after a slash.
    """

    repo: Annotated[str, StringConstraints(pattern=HUB_ID)] | None = None
    path: Text | None = None
    package: Annotated[str, StringConstraints(pattern=PACKAGE)] | None = None
    revision: Text | None = None

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


class PromptedSpec(ModelSpec):
    """A model whose texts may stand in prompts.

    ``prompts`` are templates by use (see :mod:`.prompts`), ``task_prompts`` those of single tasks
    by name, which go before them.
    """

    prompts: dict[Use, Template] = Field(default={})
    task_prompts: dict[str, dict[Use, Template]] = Field(default={})

    def for_task(self, task: TaskSpec) -> Self:
        """The model with the prompts that it has in a task; itself where those are the usual."""
        own = {**self.prompts, **self.task_prompts.get(task.name, {})}
        chosen = in_task(own, task.format)
        if not self.task_prompts and all(
            template_for(chosen, role) == template_for(self.prompts, role) for role in Role
        ):
            return self
        return self.model_copy(update={"prompts": chosen, "task_prompts": {}})

    def vector_rows(self) -> list[tuple[str, str]]:
        """Prompts, where they are set, to print."""
        rows = [(f"prompt {use}", template) for use, template in self.prompts.items()]
        for task, prompts in self.task_prompts.items():
            rows += [(f"prompt {use} in {task}", template) for use, template in prompts.items()]
        return rows


class WeightsSpec(PromptedSpec):
    """A model whose weights are run here, on tokens.

    ``truncate_dim`` keeps so many first dimensions of a vector, ``normalize`` then scales it to
    length 1.
    """

    base: Weights
    truncate_dim: int | None = Field(default=None, ge=1)
    normalize: bool = False

    def base_in_words(self) -> str:
        return self.base.location

    def vector_rows(self) -> list[tuple[str, str]]:
        """Prompts and what is done to a vector, where they are set, to print."""
        rows = super().vector_rows()
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
    control_codes: dict[Role, Text] = Field(default={})
    pooling: Pooling = "cls"
    max_length: int = Field(default=512, ge=2, le=LONGEST)
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


def _not_negative(value: object) -> float:
    # By type: True is an int too, and means no number here. NaN fails every comparison.
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < math.inf:
        raise ValueError(f"must be a finite number from 0 up, not {shown(value)}")
    return value


def _fraction(value: object) -> float:
    if not _not_negative(value) <= 1:
        raise ValueError(f"must be a number from 0 to 1, not {shown(value)}")
    return _not_negative(value)


def _documents(value: object) -> float:
    if type(value) is not int:
        return _fraction(value)
    if value < 1:
        raise ValueError(f"must be a number of documents or a share from 0.0 to 1.0, not {value}")
    return value


# Whole numbers stay whole: 1 document and the share 1.0 are different things.
Documents = Annotated[float, PlainValidator(_documents)]

# fmt: off
StopWords = Literal[
    "none", "en", "english", "en_plus", "english_plus", "da", "danish", "de", "german", "es",
    "spanish", "fr", "french", "it", "italian", "ko", "korean", "nl", "dutch", "no", "norwegian",
    "pt", "portuguese", "ru", "russian", "sv", "swedish", "tr", "turkish", "zh", "chinese",
]
# fmt: on


class Bm25Settings(Strict):
    """``stemmer`` is a language of Snowball or ``none``; ``stop_words`` a list of bm25s or
    ``none``. The methods are those where a term that a document lacks adds nothing, so that a pool
    can be scored by itself."""

    b: Annotated[float, PlainValidator(_fraction)] = 0.75
    k1: Annotated[float, PlainValidator(_not_negative)] = 1.5
    method: Literal["lucene", "robertson", "atire"] = "lucene"
    stemmer: str = "english"
    stop_words: StopWords = "en"


class TfidfSettings(Strict):
    """scikit-learn's names; n-grams run from 1."""

    lowercase: bool = True
    max_df: Documents = 1.0
    max_features: int = Field(default=4096, ge=1, le=2**20)
    min_df: Documents = 1
    ngram_max: int = Field(default=1, ge=1, le=10)
    norm: Literal["l1", "l2", "none"] = "l2"
    stop_words: Literal["english", "none"] = "english"
    sublinear_tf: bool = True


class LexicalSpec(ModelSpec):
    """A lexical baseline; what ``settings`` leave out has its default."""

    settings: Strict

    def rows(self) -> list[tuple[str, str]]:
        given = self.settings.model_dump(exclude_unset=True)
        return [(f"setting {key}", str(value)) for key, value in given.items()]


class Bm25Spec(LexicalSpec):
    kind: Literal["bm25"] = "bm25"
    settings: Bm25Settings = Bm25Settings()


class TfidfSpec(LexicalSpec):
    kind: Literal["tfidf"] = "tfidf"
    settings: TfidfSettings = TfidfSettings()


class PrecomputedSpec(ModelSpec):
    """Vectors made elsewhere; ``files`` maps a role, or ``all``, to a file of them."""

    kind: Literal["precomputed"] = "precomputed"
    files: dict[str, Text] = Field(min_length=1)

    @field_validator("files")
    @classmethod
    def check_files(cls, files: dict[str, str]) -> dict[str, str]:
        for role, path in files.items():
            if role not in ROLE_FILES:
                raise ValueError(f"unknown role {shown(role)}; roles are {', '.join(ROLE_FILES)}")
            if Path(path).suffix not in VECTOR_SUFFIXES:
                forms = ", ".join(VECTOR_SUFFIXES)
                raise ValueError(f"{role} is {shown(path)}, no file of vectors ({forms})")
        return files

    def rows(self) -> list[tuple[str, str]]:
        return [(f"vectors {role}", path) for role, path in self.files.items()]

    def placed(self, folder: Path) -> Self:
        files = {role: beside(folder, path) for role, path in self.files.items()}
        return self.model_copy(update={"files": files})


class EndpointSpec(PromptedSpec):
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


class StaticSpec(PromptedSpec):
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
        return [
            ("base", self.base.with_revision()),
            ("pooling", "mean of static token vectors"),
            *self.vector_rows(),
        ]

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


TORCH = ("torch", "transformers")


def demand_libraries(spec: ModelSpec, names: tuple[str, ...] = TORCH) -> None:
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

    encoder = TransformerEncoder(spec, options)
    # What is not on this machine is said, and maybe downloaded, by the first that needs it.
    with suppress(OfflineError):
        encoder.check_length()
    return encoder


def _sentence_transformer(spec: SentenceTransformerSpec, options: EncodeOptions) -> Model:
    demand_libraries(spec, (*TORCH, "sentence_transformers"))
    from scirepeval_harness.model.sentence_transformer import SentenceTransformerEncoder

    return SentenceTransformerEncoder(spec, options)


def _fetch(spec: WeightsSpec) -> tuple[Snapshot, ...]:
    from scirepeval_harness.model.weights import fetch

    return fetch(spec)


def _tfidf(spec: TfidfSpec, options: EncodeOptions) -> Model:
    from scirepeval_harness.model.lexical import TfidfEncoder

    return TfidfEncoder(spec)


def _bm25(spec: Bm25Spec, options: EncodeOptions) -> Model:
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
SENTENCE_TRANSFORMERS = ModelKind(SentenceTransformerSpec, _sentence_transformer, "encode", _fetch)
TFIDF = ModelKind(TfidfSpec, _tfidf, "fit")
BM25 = ModelKind(Bm25Spec, _bm25, "rank")
PRECOMPUTED = ModelKind(PrecomputedSpec, _precomputed, "look up")
ENDPOINT = ModelKind(EndpointSpec, _endpoint)
STATIC = ModelKind(StaticSpec, _static, "encode", _fetch_static)
ENSEMBLE = ModelKind(EnsembleSpec, _ensemble, "encode", _fetch_ensemble)
