"""A transformer encoder: base, adapters or control codes by role, batches by token budget."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scirepeval_harness.errors import ModelError
from scirepeval_harness.model.base import EncodeOptions, Identity
from scirepeval_harness.model.engine import TokenTable
from scirepeval_harness.model.kinds import TransformerSpec
from scirepeval_harness.model.modules import SETTINGS
from scirepeval_harness.model.spec import NOT_REGISTERED
from scirepeval_harness.model.token_encoder import TokenEncoder
from scirepeval_harness.model.weights import LOCAL, Snapshot, loading, read_json
from scirepeval_harness.roles import Role
from scirepeval_harness.task.dataset import Document

if TYPE_CHECKING:
    from scirepeval_harness.model.bottleneck import Reader

PROBE_TEXT = "We study how citation graphs shape the vectors of scientific papers."
# Architectures whose first positions are taken by the padding index.
OFFSET_POSITIONS = frozenset({"roberta", "xlm-roberta", "camembert", "longformer", "mpnet"})


class TransformerEncoder(TokenEncoder[TransformerSpec]):
    """Encodes documents with a transformer, its adapters or control codes, and a pooling."""

    def __init__(
        self, spec: TransformerSpec, options: EncodeOptions, *, reader: Reader | None = None
    ) -> None:
        """``reader`` chooses what reads adapters (see :func:`~.bottleneck.adapter_reader`)."""
        super().__init__(spec, options)
        self._reader = reader

    @property
    def dimensions(self) -> int:
        """Length of a vector; architectures call it by different names in config.json."""
        config = self._config()
        found = (config.get(key) for key in ("hidden_size", "dim", "d_model"))
        size = next((value for value in found if type(value) is int and value > 0), 0)
        return min(size, self._spec.truncate_dim or size)

    @property
    def reading(self) -> str:
        """What was assumed of a model that is not registered."""
        return self._spec.notes if self._spec.notes.startswith(NOT_REGISTERED) else ""

    @property
    def unused_prompts(self) -> tuple[str, ...]:
        """Names of the prompts that sentence-transformers would take from the folder."""
        folder = self._snapshot(None).folder
        if self._spec.prompts or not (folder / SETTINGS).is_file():
            return ()
        prompts = read_json(folder / SETTINGS).get("prompts") or {}
        return tuple(name for name, words in prompts.items() if words)

    def identity(self, role: Role) -> Identity:
        """Base, adapter, code, pooling, length and precision; reads small files and checksums."""
        base, adapter = self._snapshot(None), self._snapshot(role)
        details = {
            "base": base.location,
            "base_revision": base.revision,
            "base_weights": base.weights_fingerprint(),
            "base_config": base.config_fingerprint(),
            "control_code": self._spec.control_codes.get(role, ""),
            "dtype": self._precision,
            "max_length": str(self._max_length(role)),
            "pooling": self._spec.pooling,
            "separator": self._separator_text(),
            **self._vector_details(role),
        }
        # Only where there is one: a key with an empty value would make other spaces of old vectors.
        if adapter is not base:
            details |= {
                "adapter": adapter.location,
                "adapter_revision": adapter.revision,
                "adapter_weights": adapter.weights_fingerprint(),
                "adapter_config": adapter.config_fingerprint(),
            }
        # What a folder holds is known by its sums; checkpoints move from machine to machine.
        parts = {"base": base, "adapter": adapter}
        local = frozenset(name for name, part in parts.items() if part.revision == LOCAL)
        return Identity(self.name, role, details, places=local)

    def text(self, document: Document, role: Role) -> str:
        """As of every model, behind the role's control code if any."""
        return with_control_code(self._spec.control_codes.get(role), super().text(document, role))

    def tokenise(self, texts: Sequence[str], role: Role, limit: int | None = None) -> TokenTable:
        """Tokens of texts that :meth:`text` made; loads the tokenizer and no weights."""
        return tokenise(self._load_tokenizer(role), texts, limit or self._max_length(role))

    def _open(self, role: Role) -> None:
        """Load what is not loaded yet and switch every replica to the role."""
        from scirepeval_harness.model.replica import TransformerReplica

        tokenizer, where = self._load_tokenizer(role), f"model {self.name}"
        if not self._loaded.replicas:
            self._loaded.replicas = tuple(
                TransformerReplica(
                    self._snapshot(None).folder,
                    device=device,
                    precision=self._precision,
                    pooling=self._spec.pooling,
                    truncate_dim=self._spec.truncate_dim,
                    normalize=self._spec.normalize,
                    with_adapters=bool(self._spec.adapters),
                    compiled=self._options.compile,
                    where=where,
                    reader=self._reader,
                )
                for device in self._devices
            )
        adapter = role in self._spec.adapters
        # Adapters are checked to change this: one that does nothing gives the base's own numbers.
        probe = tokenise(tokenizer, [PROBE_TEXT], self._max_length(role)).ids.tolist()
        for replica in self._loaded.replicas:
            assert isinstance(replica, TransformerReplica)
            replica.activate(
                role.value if adapter else None,
                self._snapshot(role).folder if adapter else None,
                probe,
            )

    def _load_tokenizer(self, role: Role) -> Any:
        if "" not in self._loaded.tokenizers:
            tokenizer = load_tokenizer(self._snapshot(None).folder)
            for code in self._spec.control_codes.values():
                check_control_code(tokenizer, code, f"model {self.name}")
            self._loaded.tokenizers[""] = tokenizer
        return self._loaded.tokenizers[""]

    def _snapshot(self, role: Role | None) -> Snapshot:
        """Files of the role's adapter; of the base where the role has none."""
        adapter = None if role is None else self._spec.adapters.get(role)
        return self._located(adapter or self._spec.base, "base" if adapter is None else "adapter")

    def _separator_text(self) -> str:
        if self._loaded.separator is None:
            separator = separator_token(self._snapshot(None).folder)
            self._loaded.separator = token_separator(separator)
        return self._loaded.separator

    def _config(self) -> dict[str, Any]:
        return read_json(self._snapshot(None).folder / "config.json")

    def check_length(self) -> None:
        """ModelError where the base has fewer positions than the maximum length; reads its config.
        Raises what :func:`~.weights.locate` does."""
        self._max_length(Role.PROXIMITY)

    def _max_length(self, role: Role) -> int:
        """The model file's maximum length; an error where the base has fewer positions."""
        config = self._config()
        positions = config.get("max_position_embeddings")
        if isinstance(positions, int):
            # Beyond the positions a GPU only says "device-side assert", and then nothing any more.
            if config.get("model_type") in OFFSET_POSITIONS:
                padding = config.get("pad_token_id")
                positions -= (padding if isinstance(padding, int) else 0) + 1
            if self._spec.max_length > positions:
                raise ModelError(
                    f"the base takes at most {positions} tokens, not {self._spec.max_length}",
                    where=f"model {self.name}",
                    fix=f"Use --max-length {positions}",
                )
        return self._spec.max_length


def separator_token(folder: Path) -> str:
    """The tokenizer's separator token, else its end of a sequence, as the published code does;
    from the settings where they name the separator (fast), else from the tokenizer.

    Raises:
        ModelError: the tokenizer has neither.
    """
    # Loading a tokenizer imports transformers, which takes seconds: a plan needs the token alone.
    for name in ("special_tokens_map.json", "tokenizer_config.json"):
        token = read_json(folder / name).get("sep_token")
        text = token.get("content") if isinstance(token, dict) else token
        if isinstance(text, str) and text:
            return text
    tokenizer = load_tokenizer(folder)
    token = tokenizer.sep_token or tokenizer.eos_token
    if not token:
        raise ModelError(
            "the tokenizer has neither a separator nor an end-of-sequence token, so title and "
            "abstract cannot be joined",
            where=str(folder),
            fix="Add sep_token to its tokenizer_config.json",
        )
    return str(token)


def load_tokenizer(folder: Path) -> Any:
    """The tokenizer of a local folder; never opens a connection or runs code of the folder."""
    import transformers

    loader: Any = transformers.AutoTokenizer
    fix = "Download or save the model's files again"
    with loading("the tokenizer", str(folder), fix):
        return loader.from_pretrained(str(folder), local_files_only=True, trust_remote_code=False)


def check_control_code(tokenizer: Any, code: str, where: str) -> None:
    """Demand that the code is one token: its state is the vector (protocol, section 2)."""
    if tokenizer.tokenize(code) != [code] or tokenizer.convert_tokens_to_ids(code) in (
        None,
        tokenizer.unk_token_id,
    ):
        raise ModelError(
            f"the control code {code} is not one token of the tokenizer",
            where=where,
            fix="Use a base that was trained with the code, or correct the code",
        )


def tokenise(tokenizer: Any, texts: Sequence[str], max_length: int) -> TokenTable:
    """Token ids of texts, special tokens included, truncated at ``max_length``, not padded."""
    if not texts:
        return TokenTable.of([])
    if tokenizer.is_fast:
        # The same calls as the wrapper makes, without its padding, offsets and token types.
        backend = tokenizer.backend_tokenizer
        backend.no_padding()
        backend.enable_truncation(max_length)
        return TokenTable.of(item.ids for item in backend.encode_batch_fast(list(texts)))
    encoded = tokenizer(list(texts), truncation=True, max_length=max_length, padding=False)
    return TokenTable.of(encoded["input_ids"])


def token_separator(token: str) -> str:
    """A tokenizer's separator token with a space on each side (protocol, section 2)."""
    return f" {token} "


def with_control_code(code: str | None, text: str) -> str:
    """The control code in front of the text, one space between; the text alone without a code."""
    return text if code is None else f"{code} {text}"
