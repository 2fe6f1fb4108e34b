"""The bundled models, a user's model files, and models that are named without a file."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from scirepeval_harness.errors import SpecError, UnknownNameError, UsageError
from scirepeval_harness.extensions import MODEL_KINDS, folders
from scirepeval_harness.files import PACKAGE
from scirepeval_harness.model import kinds
from scirepeval_harness.model.kinds import (
    Pooling,
    PromptedSpec,
    TransformerSpec,
    Weights,
    WeightsSpec,
)
from scirepeval_harness.model.modules import MODULES, is_folder
from scirepeval_harness.model.prompts import Prompts
from scirepeval_harness.model.spec import NAME_LIMIT, NOT_REGISTERED, ModelSpec, named, printable
from scirepeval_harness.schema import did_you_mean, read_toml, shown, validate

DEFAULT_POOLING: Pooling = "cls"
DEFAULT_MAX_LENGTH = 512
ENDPOINT = re.compile(r"^openai:(?P<model>[^@\s]+)(?:@(?P<url>\S+))?$")
HUB_ID = re.compile(r"^\w[\w.-]*/\w[\w.-]*$")


@dataclass(frozen=True, slots=True)
class Asked:
    """What a user says of a model beside its name; None where nothing is said.

    ``pooling`` and ``max_length`` say how weights are read that are not registered; the others are
    laid over any model whose weights are run here.
    """

    pooling: Pooling | None = None
    max_length: int | None = None
    prompts: Prompts | None = None
    normalize: bool | None = None
    truncate_dim: int | None = None

    @property
    def over(self) -> dict[str, Any]:
        """What is laid over a model, by the field of its description."""
        values = {field.name: getattr(self, field.name) for field in fields(self)[2:]}
        return {name: value for name, value in values.items() if value}


def load_models(extra: Sequence[Path] = ()) -> Mapping[str, ModelSpec]:
    """The bundled models by name, those that other packages register, and those of a user's model
    files or folders of them.

    Raises:
        SpecError: a malformed file, or a name used twice; both files are named.
        UnknownNameError: a file of a kind of model that no package here has.
    """
    models: dict[str, ModelSpec] = {}
    files: dict[str, Path] = {}
    places: list[tuple[Path, str | None]] = [(PACKAGE / "model" / "registered", None)]
    for place, package in (*places, *folders("models"), *((place, None) for place in extra)):
        for file in sorted(place.glob("*.toml")) if place.is_dir() else [place]:
            model = read_model(file)
            # Neither may win in silence: a name in a record must mean one model.
            if model.name in models:
                problem = f"name: model {model.name!r} is already defined in {files[model.name]}"
                raise SpecError(problem, where=str(file), fix="Rename one of the two")
            models[model.name] = model.brought_by(package) if package else model
            files[model.name] = file
    return models


def read_model(path: Path) -> ModelSpec:
    """A model from its TOML file, by the schema of its kind; paths in it are relative to the file.

    Raises:
        SpecError: a malformed file; the field is named.
        UnknownNameError: a kind of model that no package here has.
    """
    raw, where = read_toml(path), str(path)
    kind = raw.get("kind")
    if not isinstance(kind, str):
        problem = "is required" if kind is None else f"must be a word, not {kind!r}"
        raise SpecError(f"kind: {problem}", where=where, fix=did_you_mean("", MODEL_KINDS.names()))
    spec: ModelSpec = validate(MODEL_KINDS.get(kind, where).spec, raw, where)
    return spec.placed(path.parent)


def resolve_model(
    model: object,
    models: Mapping[str, ModelSpec] | None = None,
    *,
    pooling: Pooling | None = None,
    max_length: int | None = None,
    prompts: Prompts | None = None,
    normalize: bool | None = None,
    truncate_dim: int | None = None,
) -> ModelSpec:
    """The model that a user means.

    A text means, in this order: a registered name, also as ``name@revision`` of its base; a model
    file (``.toml``); a local folder of a transformer, read by sentence-transformers where it has
    ``modules.json`` and no pooling is given; a file of vectors, or a folder with one file a role;
    an endpoint as ``openai:MODEL@URL``; a repository on the hub, also as ``org/name@revision``.
    ``TITLE=TEXT``, or the pair
    ``(title, model)``, names the row. Beside texts: a path, a description, or an encoder object
    (:class:`~.objects.EncoderObject`).

    Args:
        model: a text, path, description, encoder object, or a pair of a title and one of these.
        models: the registered models; None for those of :func:`load_models`.
        pooling, max_length: of a transformer that is not registered; by default what
            sentence-transformers reads in its folder, else the first token and 512.
        prompts, normalize, truncate_dim: see :class:`~.kinds.WeightsSpec`; a registered model
            gets another name with them.

    Raises:
        UnknownNameError: no registered model of this name; the nearest are named.
        UsageError: a path that is not there or holds neither weights nor vectors, a pooling or
            maximum length for a model whose description fixes it, or an object that cannot encode.
    """
    asked = Asked(pooling, max_length, prompts, normalize, truncate_dim)
    return _meant(model, load_models() if models is None else models, asked)


def _meant(model: object, known: Mapping[str, ModelSpec], asked: Asked) -> ModelSpec:
    match model:
        case (str() as title, target):
            return _named_row(title, _meant(target, known, asked))
        case str():
            title, text = _split_title(model, known)
            spec = _resolve(text, known, asked)
            return _named_row(title, spec) if title else spec
        case Path():
            # Not taken for a registered name or a repository, whatever it looks like.
            if _existing(str(model)) is None:
                raise _nowhere(str(model))
            return _resolve(str(model), {}, asked)
        case ModelSpec():
            return _fixed(model, asked)
    from scirepeval_harness.model.objects import describe_object

    return _fixed(describe_object(model), asked)


def _named_row(title: str, spec: ModelSpec) -> ModelSpec:
    if not title.strip():
        raise UsageError("the title of a model is empty", fix="Give both parts")
    named = _named(title, "title", "Shorten it")
    return spec.model_copy(update={"name": named, "title": named})


def _split_title(text: str, models: Mapping[str, ModelSpec]) -> tuple[str, str]:
    title, separator, target = text.partition("=")
    # A path may hold "=" itself, as the checkpoints of some trainers do ("step=100"), or a URL.
    url = title.startswith("openai:")
    if not separator or url or text in models or _existing(text) is not None:
        return "", text
    if not title.strip() or not target.strip():
        raise UsageError(f"cannot read {text!r} as TITLE=MODEL", fix="Give both parts")
    return title.strip(), target.strip()


def _resolve(text: str, models: Mapping[str, ModelSpec], asked: Asked) -> ModelSpec:
    # A registered name before a path: a folder that happens to be called "specter2" in the place
    # where a user stands must not change what the name means. Write ./specter2 for the folder.
    if text in models:
        return _fixed(models[text], asked)
    path = _existing(text)
    if path is not None and path.is_dir():
        return _from_folder(path, asked)
    if path is not None:
        spec = read_model(path) if path.suffix == ".toml" else _vector_file(path)
        return _fixed(spec, asked)
    if text.startswith("openai:"):
        return _fixed(_endpoint(text), asked)
    name, _, revision = text.partition("@")
    if revision and name in models:
        return _fixed(_at_revision(models[name], revision), asked)
    if text.startswith((".", "/", "~")) or text.endswith((*kinds.VECTOR_SUFFIXES, ".toml", "/")):
        raise _nowhere(text)
    if HUB_ID.match(name) and (revision or "@" not in text):
        weights = Weights(repo=name, revision=revision or None)
        return _transformer(text, weights, asked)
    others = "(other models: a hub repository as org/name, a folder, or a file of vectors)"
    raise UnknownNameError(f"unknown model {name!r}", fix=f"{did_you_mean(name, models)} {others}")


def _fixed(spec: ModelSpec, asked: Asked) -> ModelSpec:
    """The model, with what is laid over it; an error where the user asked for a reading that would
    make it another one."""
    own = (spec.pooling, spec.max_length) if isinstance(spec, TransformerSpec) else (None, None)
    given = (("--pooling", asked.pooling), ("--max-length", asked.max_length))
    for (option, value), has in zip(given, own, strict=True):
        if value is not None and value != has:
            fixed = f"it is defined with {has}" if has else f"{spec.kind} has none"
            problem = f"{option} {value} does not apply: {fixed}"
            fix = "Leave the option out, or give the weights' repository or folder instead"
            raise UsageError(problem, where=f"model {spec.name}", fix=fix)
    if not asked.over:
        return spec
    laid = _laid_over(spec, asked)
    words = [name if name == "prompts" else f"{name} {value}" for name, value in asked.over.items()]
    # Another model than the registered one, and than that of a published row.
    name = _named(f"{spec.name} ({', '.join(words)})")
    return laid.model_copy(
        update={"name": name, "title": f"{spec.title} ({', '.join(words)})", "published_as": ()}
    )


def _laid_over(spec: ModelSpec, asked: Asked) -> ModelSpec:
    takes = ("prompts",) if isinstance(spec, PromptedSpec) else ()
    unfit = [name for name in asked.over if name not in takes and not isinstance(spec, WeightsSpec)]
    if unfit or not isinstance(spec, PromptedSpec):
        options = ", ".join(f"--{name.replace('_', '-')}" for name in unfit)
        raise UsageError(
            f"{options.replace('prompts', 'prompt')} does not apply: {spec.kind} has none",
            where=f"model {spec.name}",
            fix="Leave it out; an object prepares its own texts",
        )
    prompts = {**spec.prompts, **(asked.prompts or {})}
    return spec.model_copy(update={**asked.over, "prompts": prompts})


def _at_revision(spec: ModelSpec, revision: str) -> ModelSpec:
    """The same model with its base at a revision; adapters stay as they are."""
    if not isinstance(spec, WeightsSpec) or spec.base.repo is None:
        problem = f"no revision {revision!r}: the model has no repository on the hub"
        raise UsageError(problem, where=f"model {spec.name}", fix=f"Use --model {spec.name}")
    # No longer the model of the published row: those numbers are of the revision in the file.
    return spec.model_copy(
        update={
            "name": f"{spec.name}@{revision}",
            "title": f"{spec.title} @{revision}",
            "base": spec.base.model_copy(update={"revision": revision}),
            "published_as": (),
        }
    )


def _from_folder(path: Path, asked: Asked) -> ModelSpec:
    name = path.resolve().name or str(path)
    # With modules it is as sentence-transformers reads it, which has no other pooling or length.
    if _is_static(path) and (not is_folder(path) or asked.pooling or asked.max_length):
        base = Weights(path=str(path))
        spec = kinds.StaticSpec(name=_named(name), title=name, base=base, extra="models")
        return _fixed(spec, asked)
    if (path / "config.json").is_file() or is_folder(path):
        read = _transformer(name, Weights(path=str(path)), asked)
        return (is_folder(path) and read.with_modules()) or read
    files: dict[str, str] = {}
    for file in sorted(path.iterdir()):
        if file.suffix not in kinds.VECTOR_SUFFIXES or file.stem not in kinds.ROLE_FILES:
            continue
        if file.stem in files:
            both = f"{files[file.stem]} and {file.name}"
            raise UsageError(f"two files for the role {file.stem}", where=both, fix="Keep one")
        files[file.stem] = str(file)
    if files:
        return _fixed(_precomputed(name, files), asked)
    if (path / "adapter_config.json").is_file():
        raise UsageError(
            "the folder holds an adapter, not a model",
            where=str(path),
            fix="Write a model file (.toml) with its base and [adapters]",
        )
    vectors = "vectors named by role such as proximity.jsonl or all.npz"
    fix = f"Give one with {MODULES}, with config.json and weights, or with {vectors}"
    raise UsageError("the folder holds neither a transformer nor vectors", where=str(path), fix=fix)


def _is_static(folder: Path) -> bool:
    """Whether a folder is one of model2vec, which says so in its config.json."""
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        return bool(config.get("model_type") == "model2vec")
    except (OSError, ValueError, AttributeError):
        return False  # whatever it is, its own reader says what is wrong with it


def _vector_file(path: Path) -> ModelSpec:
    if path.suffix not in kinds.VECTOR_SUFFIXES:
        problem = f"neither a model file nor vectors: {path.suffix or 'no suffix'}"
        fix = f"Use .toml for a model, or vectors as {', '.join(kinds.VECTOR_SUFFIXES)}"
        raise UsageError(problem, where=str(path), fix=fix)
    return _precomputed(path.stem, {"all": str(path)})


def _precomputed(name: str, files: Mapping[str, str]) -> ModelSpec:
    return kinds.PrecomputedSpec(
        name=_named(name),
        title=name,
        files=dict(files),
        notes="Vectors made elsewhere; text, truncation and model are not known to the harness.",
    )


def _transformer(name: str, weights: Weights, asked: Asked) -> TransformerSpec:
    for option, value, least in (
        ("max-length", asked.max_length, 2),
        ("truncate-dim", asked.truncate_dim, 1),
    ):
        if value is not None and not least <= value <= kinds.LONGEST:
            problem = f"--{option} must be from {least} to {kinds.LONGEST}, not {shown(value)}"
            raise UsageError(problem, where=f"model {name}", fix="Give another number")
    # Said in the record: a mean-pooled model read at its first token scores badly without a word.
    assumed = [] if asked.pooling else [f"--pooling {DEFAULT_POOLING}"]
    assumed += [] if asked.max_length else [f"--max-length {DEFAULT_MAX_LENGTH}"]
    spec = TransformerSpec(
        name=_named(name),
        title=name,
        base=weights,
        pooling=asked.pooling or DEFAULT_POOLING,
        max_length=asked.max_length or DEFAULT_MAX_LENGTH,
        extra="models",
        notes=f"{NOT_REGISTERED}; assumed: {', '.join(assumed)}."
        if assumed
        else NOT_REGISTERED + ".",
        **asked.over,
    )
    return spec.read_as_asked(asked.pooling is not None, asked.max_length)


def _endpoint(text: str) -> ModelSpec:
    found = ENDPOINT.match(text)
    if found is None:
        # Without the text: whoever writes a key into the URL reads it nowhere again.
        raise UsageError("cannot read an endpoint", fix="Write it as openai:MODEL@URL")
    given = {key: value for key, value in found.groupdict().items() if value}
    spec = validate(
        kinds.EndpointSpec, {"name": "openai", "title": "openai", **given}, "model openai:"
    )
    return spec.model_copy(update={"name": _named(text), "title": text})


def _nowhere(path: str) -> UsageError:
    return UsageError("no such file or folder", where=path, fix="Check the path")


def _existing(text: str) -> Path | None:
    """The path that the text names, where there is one; text that can be no path names none."""
    try:
        path = Path(text).expanduser()
        return path if text and path.exists() else None
    except (OSError, RuntimeError):  # too long a name; a home directory of nobody
        return None


def _named(name: str, what: str = "name", fix: str = "Name it with TITLE=MODEL") -> str:
    if len(name) > NAME_LIMIT:
        problem = f"the {what} of a model has over {NAME_LIMIT} characters"
        raise UsageError(problem, where=name[:40], fix=fix)
    try:
        return named(printable(name))
    except ValueError as error:
        raise UsageError(f"the {what} of a model: {error}", fix=fix) from error
