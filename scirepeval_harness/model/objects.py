"""An encoder given from Python: evaluated as it is, beside the models that have a name or a file.

The object is called with texts and asked for nothing else but, of a model of sentence-transformers,
how long they are: no seed, no mode, no device of it is touched, so that a model can be evaluated in
the middle of its own training.
"""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, Protocol, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import PrivateAttr

from scirepeval_harness.errors import HarnessError, ModelError, UsageError
from scirepeval_harness.model import base
from scirepeval_harness.model.base import Advance, Identity, Vectors
from scirepeval_harness.model.conventions import (
    Way,
    encode_mteb,
    encode_sides,
    overlong_sides,
    way_of,
)
from scirepeval_harness.model.modules import side_of
from scirepeval_harness.model.spec import UNIDENTIFIED, ModelKind, ModelSpec
from scirepeval_harness.roles import Role
from scirepeval_harness.schema import validate
from scirepeval_harness.task.dataset import Document
from scirepeval_harness.task.spec import TaskSpec

Passing = Way | Literal["keyword", "position"]
"""How an object is told the role, if it is."""


class EncoderObject(Protocol):
    """What a user's object needs to be evaluated: one method. A plain function of the same
    arguments will do too; so will a model of sentence-transformers, whose ``encode_query`` and
    ``encode_document`` are called, and an object that follows MTEB's ``EncoderProtocol``.

    The object may also have:

    - ``identity``: everything that determines its vectors, so that the store may keep them: a text
      (``"my-model, commit 1a2b3c"``), a mapping of texts, or a method that gives either for a role.
      Without it no vector outlives the run, a resumed run scores every task again, and the record
      says so. A text or mapping holds for each role by itself where ``encode`` takes a role; from
      a method, equal answers for two roles say that their vectors are the same.
    - ``text(document, role) -> str``: its own text of a document; by default the document's
      ``parts`` (title, abstract, ...; none is empty) joined by one space, as for the models here
      that have no separator of their own.
    - ``name`` and ``title``: by default those of its class.
    - ``device``: where it computes, as torch names it. Off the processors (``"cuda"``), finished
      tasks are scored in another thread while it encodes; the object is always called in the
      caller's, but for ``text`` and ``identity``.

    Example:
        >>> import scirepeval_harness as sh
        >>> class Lengths:
        ...     name = "lengths"
        ...     identity = "length and words of a text, version 1"
        ...     def encode(self, texts):
        ...         return [[float(len(text)), float(len(text.split()))] for text in texts]
        >>> results = sh.evaluate(Lengths(), suite="sample", tasks="sample-search", cache=None)
        >>> list(results), results.complete
        (['lengths'], True)
    """

    def encode(self, *args: Any, **kwargs: Any) -> Any:
        """``encode(texts, role)`` or ``encode(texts)``: one vector a text, in the order given.

        Args:
            texts: a list of at most 1,024 distinct texts, the longest first. Batches of a size
                that fits a device are the object's own business.
            role: ``"classification"``, ``"regression"``, ``"proximity"`` or ``"query"``; given by
                keyword where a parameter has this name, else to a second parameter without a
                default, else not at all.

        Returns:
            Numbers of the shape (texts, dimensions): a numpy array, a torch tensor on any device,
            a sparse matrix, or a list of arrays, tensors or lists. They become float32. A row too
            few, NaN or infinity is a ModelError.

        Raises:
            Exception: whatever it raises fails the task at hand, with the object's name beside it.
        """
        ...


class ObjectSpec(ModelSpec):
    """An encoder object as a model. It has no file: ``object`` names the class for the record."""

    kind: Literal["object"] = "object"
    object: str
    _held: Any = PrivateAttr()

    @property
    def implementation(self) -> ModelKind[ObjectSpec]:
        return KIND

    @property
    def origin(self) -> None:
        """None: an object is the user's own, and its class stands in the record."""


def describe_object(thing: object) -> ObjectSpec:
    """The description of an encoder object or function; holds the object itself.

    Raises:
        UsageError: it can encode nothing: the message says what is missing.
    """
    kind = _class_of(thing)
    function = getattr(thing, "encode", thing)
    if isinstance(thing, type) or not callable(function):
        raise UsageError(
            "a class, not an object of it" if isinstance(thing, type) else "it has no encode()",
            where=f"model {kind}",
            fix="Give an object with encode(texts), a function, a name, a file or a folder",
        )
    if way_of(thing) is None:
        _passing(function, f"model {kind}")
    short = getattr(thing, "__name__", type(thing).__name__).strip("<>")
    name, title = (_own_text(thing, key) for key in ("name", "title"))
    plain = {"name": name or short, "title": title or name or short, "kind": "object"}
    spec = validate(ObjectSpec, plain | {"object": kind}, f"model {kind}")
    spec._held = thing
    return spec


class ObjectEncoder:
    """Hands texts to a user's object; satisfies :class:`~.base.Encoder`."""

    cacheable = True

    def __init__(self, spec: ObjectSpec) -> None:
        self.name = spec.name
        self._where = f"model {spec.name} ({spec.object})"
        self._object = spec.object
        self._held = spec._held
        self._task: TaskSpec | None = None
        self._function: Callable[..., Any] = getattr(spec._held, "encode", spec._held)
        self._passing: Passing | None = way_of(spec._held) or _passing(self._function, self._where)
        self._text: Any = getattr(spec._held, "text", None)
        self._identity: Any = getattr(spec._held, "identity", None)
        # A module of torch may hold another under one of these names, and calling that one would
        # answer something: only functions and methods are called.
        if not (self._text is None or inspect.isroutine(self._text)):
            raise self._wrong("text", "a method (document, role)")
        by_role = self._by_role = inspect.isroutine(self._identity)
        if not (by_role or isinstance(self._identity, str | Mapping | None)):
            raise self._wrong("identity", "a text, a mapping, or a method (role)")

    @property
    def devices(self) -> tuple[str, ...]:
        """The object's own word; none where it has none."""
        said = getattr(self._held, "device", None)
        return () if said is None else (str(said),)

    def for_task(self, task: TaskSpec) -> Self:
        """The same object, which is told the task where it wants to know it."""
        if self._passing != "mteb":
            return self
        view = copy.copy(self)
        view._task = task
        return view

    def identity(self, role: Role) -> Identity:
        """The object's own words and its class; incomplete where it has none."""
        said = self._ask(self._identity, role.value) if self._by_role else self._identity
        if not isinstance(said, str | Mapping | None):
            raise self._wrong("identity", "a text or a mapping")
        kept = bool(said)
        details: dict[str, str] = {"identity": said} if isinstance(said, str) else dict(said or {})
        if not kept:
            details = dict(UNIDENTIFIED)
        # An object that is told the role may use it; a method was asked for each role by itself.
        if self._passing and not (self._by_role and kept):
            sides = self._passing == "sides"
            details["role"] = side_of(role) if sides else role.value
        if self._passing == "mteb" and self._task is not None:
            details["task"] = self._task.name
        details["object"] = self._object
        plain = {str(key): str(value) for key, value in details.items()}
        return Identity(self.name, role, plain, complete=kept)

    def text(self, document: Document, role: Role) -> str:
        """The object's own text, or the non-empty parts joined by a space."""
        if self._text is None:
            return base.join_parts(document.parts, " ")
        text = self._ask(self._text, document, role.value)
        if not isinstance(text, str):
            raise self._wrong("text", "a text")
        return text

    def prepare(self, documents: Sequence[Document]) -> None:
        """Nothing: a vector depends on its text alone."""

    def encode(self, documents: Sequence[Document], role: Role, advance: Advance) -> Vectors:
        """What the object gives for the texts, as float32; its shape is the caller's to check.

        Raises:
            ModelError: the object raised, or gave something else than numbers.
        """
        texts = [self.text(document, role) for document in documents]
        match self._passing:
            case "sides":
                given = self._ask(encode_sides, self._held, texts, role)
            case "mteb":
                given = self._ask(encode_mteb, self._function, texts, role, self._task)
            case "keyword":
                given = self._ask(self._function, texts, role=role.value)
            case "position":
                given = self._ask(self._function, texts, role.value)
            case None:
                given = self._ask(self._function, texts)
        try:
            array = np.asarray(_plain(given))
            # numpy would turn dates and texts of digits into numbers, and drop an imaginary part.
            if array.dtype.kind in "cOSUMm":
                raise TypeError(f"values of type {array.dtype}")
            # Too large for float32 becomes infinity, which is an error with the document's name.
            with np.errstate(over="ignore"):
                vectors: Vectors = array.astype(np.float32)
        except (TypeError, ValueError) as error:
            raise ModelError(
                f"encode gives no array of numbers: {error}",
                where=self._where,
                fix="Return one vector a text, all of one length",
            ) from error
        advance(len(documents))
        return vectors

    def overlong(self, documents: Sequence[Document], role: Role) -> NDArray[np.bool_] | None:
        """Which texts are longer than a model of sentence-transformers reads; None of others."""
        if self._passing != "sides":
            return None
        texts = [self.text(document, role) for document in documents]
        found = self._ask(overlong_sides, self._held, texts, role)
        return None if found is None else np.array(found, dtype=bool)

    def _ask(self, function: Callable[..., Any], *args: object, **kwargs: object) -> Any:
        try:
            return function(*args, **kwargs)
        except HarnessError:
            raise  # it says already what, where and what to do
        except Exception as error:
            # Code that is not ours may raise anything; its class alone would not say whose it is.
            raise ModelError(f"{type(error).__name__}: {error}", where=self._where) from error

    def _wrong(self, what: str, wanted: str) -> ModelError:
        return ModelError(f"{what} is not {wanted}", where=self._where, fix="See EncoderObject")


# Not among the kinds that a model file may name: a file holds no object.
KIND = ModelKind(ObjectSpec, lambda spec, options: ObjectEncoder(spec))


def _passing(function: Callable[..., Any], where: str) -> Literal["keyword", "position"] | None:
    """How the function takes a role, if it does."""
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):
        return None  # compiled code without a signature is taken at its word: texts alone
    parameters = signature.parameters
    in_order = [
        p for p in parameters.values() if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)
    ]
    role = parameters.get("role")
    way: Literal["keyword", "position"] | None = None
    if role is not None and role.kind in (role.KEYWORD_ONLY, role.POSITIONAL_OR_KEYWORD):
        way = "keyword"
    # Of a second parameter with a default nobody can say that it means a role.
    elif len(in_order) > 1 and in_order[1].default is inspect.Parameter.empty:
        way = "position"
    positions, named = ((), {"role": ""}) if way == "keyword" else (("",) if way else (), {})
    try:
        signature.bind([], *positions, **named)
    except TypeError as error:
        raise UsageError(
            f"encode{signature} cannot be called with texts, or with texts and a role: {error}",
            where=where,
            fix="Give it the form encode(texts, role) or encode(texts)",
        ) from error
    return way


def _plain(value: Any) -> Any:
    """Tensors and sparse matrices as arrays, without importing the libraries that they are of."""
    if isinstance(value, list | tuple):
        return [_plain(item) if hasattr(item, "detach") else item for item in value]
    if hasattr(value, "detach"):
        return value.detach().cpu().float().numpy()  # numpy knows no bfloat16
    return value.toarray() if hasattr(value, "toarray") else value


def _class_of(thing: object) -> str:
    named = thing if hasattr(thing, "__qualname__") else type(thing)
    return f"{named.__module__}.{named.__qualname__}"


def _own_text(thing: object, key: str) -> str:
    value = getattr(thing, key, None)
    return value if isinstance(value, str) else ""
