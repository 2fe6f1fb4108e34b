"""The tokenizer of a base: its separator, and documents as token ids."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from scirepeval_harness.errors import ModelError
from scirepeval_harness.models.engine import TokenTable


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object in a model's folder, empty where the file is not there."""
    if not path.is_file():
        return {}
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ModelError(f"not JSON: {error}", where=str(path), fix="Repair the line") from error
    if not isinstance(content, dict):
        raise ModelError(
            "not a JSON object", where=str(path), fix="Download or save the model's files again"
        )
    return content


def separator_token(folder: Path) -> str:
    """The tokenizer's separator token, from its settings if they name it (fast), else loaded.

    Raises:
        ModelError: the tokenizer has none.
    """
    for name in ("special_tokens_map.json", "tokenizer_config.json"):
        token = read_json(folder / name).get("sep_token")
        text = token.get("content") if isinstance(token, dict) else token
        if isinstance(text, str) and text:
            return text
    token = load_tokenizer(folder).sep_token
    if not token:
        raise ModelError(
            "the tokenizer has no separator token, so title and abstract cannot be joined",
            where=str(folder),
            fix="Add sep_token to its tokenizer_config.json",
        )
    return str(token)


def load_tokenizer(folder: Path) -> Any:
    """The tokenizer of a local folder; never opens a connection or runs code of the folder."""
    import transformers

    loader: Any = transformers.AutoTokenizer
    try:
        return loader.from_pretrained(str(folder), local_files_only=True, trust_remote_code=False)
    except (OSError, ValueError, KeyError) as error:
        raise ModelError(
            f"the tokenizer cannot be loaded: {error}",
            where=str(folder),
            fix="Download or save the model's files again",
        ) from error


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


def join_parts(parts: Sequence[str], separator: str) -> str:
    """The non-empty parts, unchanged, joined by ``separator`` exactly as given."""
    return separator.join(part for part in parts if part)


def token_separator(token: str) -> str:
    """A tokenizer's separator token with a space on each side (protocol, section 2)."""
    return f" {token} "


def with_control_code(code: str | None, text: str) -> str:
    """The control code in front of the text, one space between; the text alone without a code."""
    return text if code is None else f"{code} {text}"
