"""Keys of spaces and texts, and where each text's key stands: sorted arrays, no Python objects."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from scirepeval_harness.model.base import Identity

KEY_BYTES = 16
# Fixed width and compared byte by byte. A single element must not be read back as ``bytes``: numpy
# strips trailing zero bytes there, so keys stay in arrays.
KEY = np.dtype(f"S{KEY_BYTES}")
Keys = NDArray[np.bytes_]


def text_key(text: str) -> bytes:
    """The first 16 bytes of the SHA-256 of a text."""
    # Half a surrogate pair is no valid UTF-8, yet JSON can hold one: no reason to stop a run.
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()[:KEY_BYTES]


def space_key(identity: Identity) -> str:
    """Name of the space of an identity: its details alone, so that two names of one model, two
    roles that the same weights serve, or two places of one checkpoint share their vectors."""
    details = {k: value for k, value in identity.details.items() if k not in identity.places}
    if not identity.complete:
        details["model"] = identity.model  # two objects of one class are two models
    text = json.dumps(details, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def key_array(keys: Sequence[bytes] | Iterable[bytes] | Keys) -> Keys:
    """Keys as one array (n,); a copy unless it is one already."""
    if isinstance(keys, np.ndarray):
        return keys
    return np.frombuffer(b"".join(keys), dtype=KEY)


class KeyIndex:
    """Rows of keys: 20 bytes a key, a million keys sorted in half a second.

    Args:
        keys: the key of row 0, 1, ...; of a repeated key the first row is found.
    """

    def __init__(self, keys: Keys) -> None:
        order = np.argsort(keys, kind="stable")
        ordered = keys[order]
        first = np.ones(len(keys), dtype=bool)
        first[1:] = ordered[1:] != ordered[:-1]
        self._keys = ordered[first]
        self._rows = order[first].astype(np.int32 if len(keys) < 2**31 else np.int64)

    def __len__(self) -> int:
        return len(self._keys)

    def find(self, keys: Keys) -> NDArray[np.int64]:
        """The row of each key (n,); -1 for a key that is not there."""
        if not len(self._keys):
            return np.full(len(keys), -1, dtype=np.int64)
        # Sorted questions walk through the index in order, three times faster than at random.
        order = np.argsort(keys, kind="stable")
        asked = keys[order]
        place = np.minimum(np.searchsorted(self._keys, asked), len(self._keys) - 1)
        found = np.empty(len(keys), dtype=np.int64)
        found[order] = np.where(self._keys[place] == asked, self._rows[place], -1)
        return found


def first_places(keys: Keys) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Positions of distinct keys in order of first occurrence, and for each key its place there.

    ``distinct[place[i]] == first position of keys[i]``.
    """
    _, first, inverse = np.unique(keys, return_index=True, return_inverse=True)
    order = np.argsort(first, kind="stable")
    rank = np.empty(len(order), dtype=np.int64)
    rank[order] = np.arange(len(order))
    return first[order].astype(np.int64), rank[inverse.reshape(-1)]


class Ledger:
    """Texts that are planned already, by space: 16 bytes each, sorted, no texts."""

    def __init__(self) -> None:
        self._keys: dict[str, Keys] = {}

    def new(self, space: str, keys: Keys) -> NDArray[np.int64]:
        """Positions in ``keys`` of texts met for the first time, which are noted as met."""
        first, _ = first_places(keys)
        # By space: the same text in another role may be another vector.
        known = self._keys.get(space, np.zeros(0, KEY))
        order = np.argsort(keys[first], kind="stable")
        asked = keys[first][order]
        place = np.searchsorted(known, asked)
        fresh = np.ones(len(asked), dtype=bool)
        inside = place < len(known)
        fresh[inside] = known[place[inside]] != asked[inside]
        # Put in their places: sorting all that is known for every request would be most of a plan.
        self._keys[space] = np.insert(known, place[fresh], asked[fresh])
        met = np.empty(len(asked), dtype=bool)
        met[order] = fresh
        return first[met]
