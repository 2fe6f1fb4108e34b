"""What a metric, a kind of evaluation or a kind of model is found by: its name, wherever it lives.

A name is built in, added by a script (the decorator :func:`~.evaluations.metrics.metric`, or
:meth:`Named.add`), or announced by another installed package as an entry point. The table of what
is built in holds places, not objects: listing names imports nothing, and a command that needs one
kind loads the module of that kind alone.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Iterator, Mapping
from functools import lru_cache
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast

from scirepeval_harness.errors import SpecError
from scirepeval_harness.schema import unknown

if TYPE_CHECKING:
    from scirepeval_harness.evaluations.base import Evaluation
    from scirepeval_harness.evaluations.metrics import Metric
    from scirepeval_harness.model.spec import ModelKind

T = TypeVar("T")
PREFIX = "scirepeval_harness"
BUILT_IN = "built in"


class Named(Generic[T]):
    """Things of one sort by name. ``group`` is the entry-point group of other packages' things."""

    def __init__(self, sort: str, group: str, built_in: Mapping[str, str]) -> None:
        self.sort, self.group = sort, group
        self._built_in = dict(built_in)
        self._added: dict[str, tuple[T, str]] = {}

    def add(self, name: str, value: T, origin: str) -> None:
        """Make ``value`` known under ``name`` in this process; the same name again replaces it.

        Raises:
            SpecError: a name that is built in, or that an installed package has taken.
        """
        announced = self._announced().get(name)
        if announced is not None and origin == f"module {announced.module}":
            # The decorator of the very thing that is announced, run by its import.
            return
        if name in self._built_in or announced is not None:
            raise SpecError(
                f"{self.sort} {name!r} exists already ({self.origin(name)})",
                where=origin,
                fix="Give yours another name",
            )
        self._added[name] = value, origin

    def get(self, name: str, where: str | None = None) -> T:
        """The thing of a name, loaded when first asked for.

        Raises:
            UnknownNameError: no such name; the nearest are named.
            SpecError: another package announces it and it cannot be imported.
        """
        if name in self._built_in:
            module, _, attribute = self._built_in[name].partition(":")
            return cast(T, getattr(importlib.import_module(module), attribute))
        if name in self._added:
            return self._added[name][0]
        announced = self._announced()
        if name not in announced:
            raise unknown(self.sort, name, self.names(), where)
        return cast(T, _load(announced[name]))

    def __contains__(self, name: object) -> bool:
        # Announced names last: looking for them reads the list of every installed package.
        return name in self._built_in or name in self._added or name in self._announced()

    def names(self) -> tuple[str, ...]:
        """Every known name: built in, then added, then announced. Imports none of them."""
        return tuple(dict.fromkeys([*self._built_in, *self._added, *self._announced()]))

    def origin(self, name: str) -> str:
        """Where a name comes from: ``built in``, ``module M``, or ``package P VERSION``."""
        if name in self._built_in:
            return BUILT_IN
        if name in self._added:
            return self._added[name][1]
        return _package_of(self._announced()[name])

    def _announced(self) -> dict[str, EntryPoint]:
        # A built-in name is never another package's to give.
        found = _entry_points(self.group, tuple(sys.path))
        return {entry.name: entry for entry in found if entry.name not in self._built_in}


@lru_cache(maxsize=16)
def _entry_points(group: str, path: tuple[str, ...]) -> tuple[EntryPoint, ...]:
    """Those of a group; the path is where they are looked for, which takes milliseconds."""
    return tuple(entry_points(group=group))


EVALUATIONS: Named[Evaluation[Any]] = Named(
    "evaluation",
    f"{PREFIX}.evaluations",
    {
        name: f"{PREFIX}.evaluations.{name}:EVALUATION"
        for name in (
            "probe",
            "ranking",
            "reviewer_matching",
            "citation_pools",
            "author_disambiguation",
        )
    },
)
METRICS: Named[Metric] = Named(
    "metric",
    f"{PREFIX}.metrics",
    {
        name: f"{PREFIX}.evaluations.metrics:{name.upper()}"
        for name in ("f1", "f1_macro", "accuracy", "kendalltau")
    },
)
MODEL_KINDS: Named[ModelKind[Any]] = Named(
    "kind of model",
    f"{PREFIX}.model_kinds",
    {
        name: f"{PREFIX}.model.kinds:{name.upper()}"
        for name in (
            "transformer",
            "sentence_transformers",
            "tfidf",
            "bm25",
            "precomputed",
            "endpoint",
            "static",
            "ensemble",
        )
    },
)


def folders(sort: str) -> Iterator[tuple[Path, str]]:
    """Folders of TOML files that other packages bring, with the package that brings each.

    ``sort`` is ``tasks`` or ``models``; the entry point names a package, or a package and the
    folder in it, as ``their_package:folder``.

    Raises:
        SpecError: the entry point names nothing that is there.
    """
    for entry in _entry_points(f"{PREFIX}.{sort}", tuple(sys.path)):
        module, _, inside = entry.value.partition(":")
        try:
            spec = importlib.util.find_spec(module)
        except ImportError:
            spec = None
        places = list(spec.submodule_search_locations or ()) if spec else []
        folder = Path(places[0], *inside.split("/")) if places else None
        if folder is None or not folder.is_dir():
            raise SpecError(
                f"entry point {entry.name!r} of {_package_of(entry)} is no folder: {entry.value}",
                fix="Write it as package:folder",
            )
        yield folder, _package_of(entry)


def _load(entry: EntryPoint) -> object:
    try:
        return entry.load()
    except (ImportError, AttributeError) as error:
        raise SpecError(
            f"entry point {entry.name!r} ({entry.value}) cannot be imported: {error}",
            where=_package_of(entry),
            fix="Mend or uninstall the package",
        ) from error


def _package_of(entry: EntryPoint) -> str:
    return f"package {entry.dist.name} {entry.dist.version}" if entry.dist else "an entry point"
