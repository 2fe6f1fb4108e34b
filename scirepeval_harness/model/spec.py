"""A model as data, and what a kind of model is made of: the schema of its file and its encoder.

Plain, so that models are listed and named without numpy or torch: a kind imports its encoder when
one is built. A new kind is one module (here or in another package) with a subclass of
:class:`ModelSpec` and a :class:`ModelKind`, found under its name through
:data:`~.extensions.MODEL_KINDS`.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Generic, Literal, Self, TypeVar

from pydantic import AfterValidator, Field, PrivateAttr

from scirepeval_harness.extensions import BUILT_IN, EVALUATIONS, MODEL_KINDS
from scirepeval_harness.roles import Role
from scirepeval_harness.schema import shown
from scirepeval_harness.task.spec import Strict, TaskSpec

if TYPE_CHECKING:
    from scirepeval_harness.model.base import EncodeOptions, Model
    from scirepeval_harness.model.weights import Snapshot

# A name becomes a folder, and file systems take 255 bytes.
NAME_LIMIT = 200
# How a model comes to its scores: vectors that are kept, vectors fitted on each task, scores of
# pairs, vectors from a file.
Way = Literal["encode", "fit", "rank", "look up"]
# How the notes of a model begin that is known by its weights alone.
NOT_REGISTERED = "Not registered"
# In the record of a model of which nobody can say what determines its vectors.
UNIDENTIFIED = {"kept": "no: the object gives no identity"}


def printable(text: str) -> str:
    """The text; ValueError where a terminal would take a part of it for something else."""
    if any(unicodedata.category(one) in UNPRINTABLE for one in text):
        raise ValueError(f"holds characters that cannot be printed: {shown(text)}")
    return text


def named(name: str) -> str:
    """The name of a model; ValueError where it could lead out of a folder of results."""
    if name != name.strip() or not {".", ".."}.isdisjoint(re.split(r"[/\\]", name)):
        raise ValueError(f"{shown(name)} is no name: leave out '..' and spaces at its ends")
    return name


# Control and format characters, halves of surrogates, ends of lines and of paragraphs.
UNPRINTABLE = frozenset({"Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp"})
Text = Annotated[str, Field(min_length=1), AfterValidator(printable)]
"""Not empty and in one line, as names, paths and repositories are."""


class ModelSpec(Strict):
    """One model: what every kind says of it. Each kind's own keys stand in a subclass."""

    name: Annotated[Text, Field(max_length=NAME_LIMIT), AfterValidator(named)]
    title: Text
    kind: str
    extra: Text | None = None
    """The optional dependencies of the harness that it needs."""
    notes: str = ""
    published_as: tuple[Text, ...] = ()
    group: str = ""
    """What it is listed under; by default ``general``, or ``lexical`` of what weighs terms."""
    facts: dict[str, str] = Field(default={})
    """What is known of it and decides nothing: dimensions, longest input, licence, download."""
    assumed: str = ""
    """Which of the facts and settings nobody has checked against the weights."""
    trained_on: tuple[str, ...] = ()
    """Tasks, suites or a suite's columns (``SUITE/COLUMN``), by name, whose training data it is
    known to have been trained on."""
    _package: str | None = PrivateAttr(default=None)

    @property
    def implementation(self) -> ModelKind[Any]:
        """The kind behind the name; UnknownNameError where no package here has it."""
        return MODEL_KINDS.get(self.kind, f"model {self.name}")

    @property
    def origin(self) -> str | None:
        """The package whose model or kind of model this is; None where all is the harness's or
        the user's own."""
        places = (self._package, MODEL_KINDS.origin(self.kind))
        return ", ".join(dict.fromkeys(p for p in places if p and p != BUILT_IN)) or None

    @property
    def listed_under(self) -> str:
        """The group, said or by kind."""
        fitted = self.implementation.way in ("fit", "rank")
        return self.group or ("lexical" if fitted else "general")

    @property
    def has_vectors(self) -> bool:
        """Whether the model can feed a probe; a ranker scores pairs of texts and has no vectors."""
        return self.implementation.way != "rank"

    def can_run(self, task: TaskSpec) -> bool:
        """Whether the model applies to a task: one without vectors can rank candidates, but feed
        neither a probe nor reviewer matching nor clustering."""
        return self.has_vectors or EVALUATIONS.get(task.evaluation).takes_rankers

    def use_of(self, role: Role) -> str:
        """What the model does for a role, in words."""
        return self.kind

    def base_in_words(self) -> str:
        """The weights behind the model, for a column of a table; ``-`` where it has none."""
        return "-"

    def roles_in_words(self) -> str:
        """How the model tells roles apart, in two words; ``-`` where it does not."""
        return "-"

    def rows(self) -> list[tuple[str, str]]:
        """The keys that the kind adds, as names and values in the order to print."""
        own = [name for name in type(self).model_fields if name not in ModelSpec.model_fields]
        return [(name.replace("_", " "), str(getattr(self, name))) for name in own]

    def placed(self, folder: Path) -> Self:
        """The model with paths relative to ``folder``, where its file lies, made whole."""
        return self

    def brought_by(self, package: str) -> Self:
        """The same model, with the package that registers it."""
        copy = self.model_copy()
        # Private: a file that says where it comes from could say anything.
        copy._package = package
        return copy


S = TypeVar("S", bound=ModelSpec)


@dataclass(frozen=True, slots=True)
class ModelKind(Generic[S]):
    """A kind of model.

    Args:
        spec: the schema of its model files.
        build: makes the encoder or ranker; loads no weights yet, and raises a HarnessError for
            settings or files that are wrong.
        way: how it comes to its scores. ``encode`` is for encoders that are ``cacheable``.
        fetch: downloads what it needs ahead of a run.

    Example:
        >>> import scirepeval_harness as sh
        >>> sh.models()["bm25"].implementation.way
        'rank'
    """

    spec: type[S]
    build: Callable[[S, EncodeOptions], Model]
    way: Way = "encode"
    fetch: Callable[[S], tuple[Snapshot, ...]] = lambda spec: ()


def beside(folder: Path, path: str) -> str:
    """A path as a model file in ``folder`` means it."""
    given = Path(path).expanduser()
    return str(given if given.is_absolute() else folder / given)
