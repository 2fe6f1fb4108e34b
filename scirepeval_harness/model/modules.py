"""Folders of sentence-transformers, as their files describe them: ``modules.json`` and beside it.

Plain: plans and identities need to know what a folder says, not the library.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scirepeval_harness.errors import ModelError
from scirepeval_harness.model.prompts import Use, with_prefix
from scirepeval_harness.roles import Role

MODULES = "modules.json"
SETTINGS = "config_sentence_transformers.json"
ROUTERS = ("router_config.json", "config.json")
LIBRARY = "sentence_transformers."
TYPE = "SentenceTransformer"


@dataclass(frozen=True, slots=True)
class Module:
    """A step of the model: its class by the last part of its name, and its place in the folder."""

    kind: str
    path: str


@dataclass(frozen=True, slots=True)
class Folder:
    """What a folder says of itself.

    ``routes`` has the modules of each route where the first module is a router.
    ``prompts`` are templates by the name that the folder gives them; one that
    adds nothing is ``{text}``.
    """

    modules: tuple[Module, ...]
    routes: dict[str, tuple[Module, ...]]
    default_route: str | None
    prompts: dict[str, str]

    @property
    def all_modules(self) -> tuple[Module, ...]:
        """Those in a row, and those of the routes."""
        return (*self.modules, *(module for route in self.routes.values() for module in route))

    @property
    def paths(self) -> tuple[str, ...]:
        """The places of all modules; ``""`` is the folder itself."""
        return tuple(dict.fromkeys(["", *(module.path for module in self.all_modules)]))

    def route(self, role: Role) -> str | None:
        """The route of a role's side; None where there are no routes."""
        if not self.routes:
            return None
        side = side_of(role)
        return side if side in self.routes else self.default_route

    def first(self, role: Role) -> Module:
        """The module that reads a role's texts."""
        route = self.route(role)
        return self.modules[0] if route is None else self.routes[route][0]

    def prompt(self, role: Role) -> tuple[str, str] | None:
        """Name and template of the folder's own prompt for a role: the one that is named after the
        role, else the one that ``encode_query`` or ``encode_document`` takes; None for neither."""
        folded = {name.casefold(): name for name in self.prompts}
        for name in (folded.get(role.value), side_of(role)):
            if name in self.prompts:
                return name, self.prompts[name]
        return None

    def unused_prompts(self) -> tuple[str, ...]:
        """Names of prompts that say something and that no role takes."""
        taken = {found[0] for role in Role if (found := self.prompt(role))}
        return tuple(n for n, text in self.prompts.items() if n not in taken and text != "{text}")

    def in_words(self) -> str:
        """The modules one after another, routes in brackets."""
        routes = "; ".join(
            f"{name}: {', '.join(module.kind for module in modules)}"
            for name, modules in self.routes.items()
        )
        words = ", ".join(module.kind for module in self.modules)
        return f"{words} ({routes})" if routes else words


def side_of(role: Role) -> Use:
    """``query`` or ``document``: which of the library's two ways of encoding is a role's."""
    return "query" if role is Role.QUERY else "document"


def is_folder(folder: Path) -> bool:
    """Whether sentence-transformers wrote the folder."""
    return (folder / MODULES).is_file()


def read_folder(folder: Path, where: str) -> Folder:
    """What a folder's small files say.

    Raises:
        ModelError: files that are malformed, a module that is not of the library (its code would
            have to be run), or a model of another type than one that encodes texts as vectors.
    """
    listed = _json(folder / MODULES, list)
    modules = tuple(_module(item, folder / MODULES, where) for item in listed)
    if not modules:
        raise _broken("no modules", folder / MODULES)
    settings = _json(folder / SETTINGS, dict) if (folder / SETTINGS).is_file() else {}
    if settings.get("model_type", TYPE) != TYPE:
        raise ModelError(
            f"the folder holds a {settings['model_type']}, which gives no plain vectors",
            where=where,
            fix=f"Give the folder or repository of a {TYPE}",
        )
    prompts = settings.get("prompts") or {}
    if not isinstance(prompts, dict) or not all(isinstance(p, str) for p in prompts.values()):
        raise _broken("prompts is not a table of texts", folder / SETTINGS)
    routes, default_route = _routes(folder, modules[0], where)
    templates = {str(name): with_prefix(prompt) for name, prompt in prompts.items()}
    return Folder(modules, routes, default_route, templates)


def _routes(
    folder: Path, first: Module, where: str
) -> tuple[dict[str, tuple[Module, ...]], str | None]:
    if first.kind not in ("Router", "Asym"):
        return {}, None
    files = [folder / first.path / name for name in ROUTERS]
    file = next((file for file in files if file.is_file()), files[0])
    config = _json(file, dict)
    try:
        places = {
            name: _module({"type": kind, "path": str(Path(first.path, name))}, file, where)
            for name, kind in config["types"].items()
        }
        routes = {
            route: tuple(places[name] for name in names)
            for route, names in config["structure"].items()
        }
        default = config.get("parameters", {}).get("default_route")
    except (KeyError, AttributeError, TypeError) as error:
        raise _broken(f"not a router's settings: {error}", file) from error
    if not routes or not all(routes.values()) or default not in (None, *routes):
        raise _broken("a route without modules", file)
    # As the library does where none is named.
    return routes, default or next(iter(routes))


def _module(item: Any, file: Path, where: str) -> Module:
    kind, path = (item.get("type"), item.get("path", "")) if isinstance(item, dict) else (None, "")
    if not isinstance(kind, str) or not isinstance(path, str):
        raise _broken("a module without type or path", file)
    if Path(path).is_absolute() or ".." in Path(path).parts:
        raise _broken(f"the module's path leaves the folder: {path}", file)
    if not kind.startswith(LIBRARY):
        raise ModelError(
            f"the module {kind} is not of sentence-transformers: code of a model's own is not run",
            where=where,
            fix="Load it yourself and give the object, or read the weights alone with --pooling",
        )
    # model2vec writes "." for the folder itself.
    return Module(kind.rpartition(".")[2], "" if path == "." else path)


def _json(file: Path, kind: type[list[Any]] | type[dict[str, Any]]) -> Any:
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise _broken(f"cannot be read: {error}", file) from error
    if not isinstance(content, kind):
        raise _broken("not the JSON that sentence-transformers writes", file)
    return content


def _broken(what: str, file: Path) -> ModelError:
    return ModelError(what, where=str(file), fix="Save or download the model again")
