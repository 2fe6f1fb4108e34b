"""Folders of sentence-transformers: the library's model on the engine's own batches of tokens."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from scirepeval_harness.errors import ModelError
from scirepeval_harness.model.base import EncodeOptions, Identity
from scirepeval_harness.model.engine import TokenTable
from scirepeval_harness.model.kinds import SentenceTransformerSpec
from scirepeval_harness.model.modules import Folder, read_folder, side_of
from scirepeval_harness.model.prompts import prefix_of
from scirepeval_harness.model.token_encoder import TokenEncoder
from scirepeval_harness.model.transformer import load_tokenizer, tokenise
from scirepeval_harness.model.weights import Snapshot, read_json
from scirepeval_harness.roles import Role

STATIC = "StaticEmbedding"
# What a first module may be, so that tokens are all that it takes.
READERS = ("Transformer", STATIC)
# The names that a Transformer's settings have had.
SETTINGS = tuple(
    f"sentence_{kind}_config.json"
    for kind in ("bert", "roberta", "distilbert", "camembert", "albert", "xlm-roberta", "xlnet")
)
UNLIMITED = 10**9
# Upper case, and longer than most inputs: lower-casing and truncation show on it.
CHECKED_TEXT = "We Study How CITATION Graphs Shape the Vectors of Scientific Papers. " * 40


class SentenceTransformerEncoder(TokenEncoder[SentenceTransformerSpec]):
    """Encodes as ``encode_query`` and ``encode_document`` of sentence-transformers do.

    Texts, tokens and batches are the engine's, so that a plan loads no weights, and several devices
    and Ray encode as for other models; that the library would make the same tokens is checked.
    """

    def __init__(self, spec: SentenceTransformerSpec, options: EncodeOptions) -> None:
        super().__init__(spec, options)
        self._folder: Folder | None = None

    @property
    def dimensions(self) -> int:
        """0: the vectors themselves say it, after the last module."""
        return 0

    @property
    def reading(self) -> str:
        """The folder's modules, and whose prompt each side gets."""
        return f"read by sentence-transformers: {self._read().in_words()}; {self._prompts()}"

    @property
    def unused_prompts(self) -> tuple[str, ...]:
        """Names of the folder's prompts for a query or a document that no role takes: the library
        itself passes over them where it looks for ``query`` and ``document``."""
        if self._spec.prompts:
            return ()  # whoever gives prompts has looked at them
        return tuple(n for n in self._read().unused_prompts() if n in ("passage", "corpus"))

    def identity(self, role: Role) -> Identity:
        """Files of every module, prompt, length and precision; the route where there are some."""
        base, folder = self._snapshot(), self._read()
        details = {
            "base": base.location,
            "base_revision": base.revision,
            "base_weights": base.weights_fingerprint(),
            "base_config": base.config_fingerprint(),
            "read_by": "sentence-transformers",
            "modules": folder.in_words(),
            "dtype": self._precision,
            "max_length": str(self._max_length(role)),
            "separator": self._separator_text(),
            **({"route": str(folder.route(role))} if folder.routes else {}),
            **self._vector_details(role),
        }
        return Identity(self.name, role, details)

    def tokenise(self, texts: Sequence[str], role: Role, limit: int | None = None) -> TokenTable:
        """Tokens of texts as the role's first module reads them."""
        tokenizer = self._load_tokenizer(role)
        if self._read().first(role).kind == STATIC:
            encoded = tokenizer.encode_batch_fast(list(texts), add_special_tokens=False)
            return TokenTable.of(item.ids for item in encoded)
        return tokenise(tokenizer, texts, limit or self._max_length(role))

    def _open(self, role: Role) -> None:
        from scirepeval_harness.model.replica import ModulesReplica

        self._read()  # what cannot be read is said before weights are loaded
        if not self._loaded.replicas:
            self._loaded.replicas = tuple(
                ModulesReplica(
                    self._snapshot().folder,
                    device=device,
                    precision=self._precision,
                    max_length=self._spec.max_length,
                    truncate_dim=self._spec.truncate_dim,
                    normalize=self._spec.normalize,
                    compiled=self._options.compile,
                    where=f"model {self.name}",
                )
                for device in self._devices
            )
        found = self._template(role)
        prefix = prefix_of(found[1]) if found else ""
        ids = self.tokenise([prefix + CHECKED_TEXT], role).ids.tolist()
        for replica in self._loaded.replicas:
            assert isinstance(replica, ModulesReplica)
            replica.activate(side_of(role), prefix, CHECKED_TEXT, ids)

    def _template(self, role: Role) -> tuple[str, str] | None:
        """The prompt that was given, else the folder's own."""
        own = self._read().prompt(role)
        return super()._template(role) or (own and (f"the folder's {own[0]}", own[1]))

    def _prompts(self) -> str:
        said = []
        for role in (Role.QUERY, Role.PROXIMITY):
            name, template = self._template(role) or ("none", "")
            what = f"{name}, {template!r}" if template not in ("", "{text}") else "none"
            said.append(f"prompt of a {side_of(role)}: {what}")
        return "; ".join(said)

    def _load_tokenizer(self, role: Role) -> Any:
        first = self._read().first(role)
        tokenizers = self._loaded.tokenizers
        if first.path not in tokenizers:
            place = self._snapshot().folder / first.path
            if first.kind == STATIC:
                tokenizers[first.path] = _static_tokenizer(place)
            else:
                tokenizers[first.path] = load_tokenizer(place)
                if _settings(place).get("do_lower_case"):
                    _lower_case(tokenizers[first.path])
        return tokenizers[first.path]

    def _snapshot(self) -> Snapshot:
        return self._located(self._spec.base, "modules")

    def _separator_text(self) -> str:
        # Trained on running text; the library's users join a title and an abstract so.
        return " "

    def _read(self) -> Folder:
        if self._folder is None:
            where = f"model {self.name}"
            folder = read_folder(self._snapshot().folder, where)
            kinds = {folder.first(role).kind for role in Role}
            if unknown := sorted(kinds.difference(READERS)):
                raise ModelError(
                    f"its first module is {unknown[0]}, which takes more than tokens",
                    where=where,
                    fix="Load it with sentence-transformers and give the object to evaluate",
                )
            if self._spec.max_length is not None and kinds == {STATIC}:
                raise ModelError(
                    "its static vectors have no longest input",
                    where=where,
                    fix="Leave --max-length, or max_length in its file, out",
                )
            self._folder = folder
        return self._folder

    def _max_length(self, role: Role) -> int:
        """The model file's longest input, else the folder's as the library finds it."""
        first = self._read().first(role)
        if first.kind == STATIC:
            return UNLIMITED
        if self._spec.max_length is not None:
            return self._spec.max_length
        place = self._snapshot().folder / first.path
        settings = _settings(place)
        arguments = settings.get("processor_kwargs") or settings.get("tokenizer_args") or {}
        given = arguments.get("model_max_length", settings.get("max_seq_length"))
        if given is None:
            # As the tokenizer says, within the positions that the model has.
            positions = read_json(place / "config.json").get("max_position_embeddings")
            given = self._load_tokenizer(role).model_max_length
            if isinstance(positions, int) and positions > 0:
                given = min(given, positions)
        return min(int(given), UNLIMITED)


def _settings(place: Path) -> dict[str, Any]:
    """A Transformer module's own settings, under whichever name they lie."""
    return next((found for name in SETTINGS if (found := read_json(place / name))), {})


def _static_tokenizer(place: Path) -> Any:
    from tokenizers import Tokenizer

    # Looked at first: the library's own errors have no class of their own.
    if not read_json(place / "tokenizer.json"):
        fix = "Download or save the model's files again"
        raise ModelError("no tokenizer.json", where=str(place), fix=fix)
    tokenizer = Tokenizer.from_file(str(place / "tokenizer.json"))
    tokenizer.no_padding()
    return tokenizer


def _lower_case(tokenizer: Any) -> None:
    """Lower case before everything else, as the library does for ``do_lower_case``."""
    from tokenizers.normalizers import Lowercase, Sequence

    backend = tokenizer.backend_tokenizer
    backend.normalizer = Sequence(
        [Lowercase(), *([backend.normalizer] if backend.normalizer else [])]
    )
