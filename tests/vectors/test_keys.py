"""Keys as arrays: equal to a dictionary in every answer, and small."""

from __future__ import annotations

import hashlib

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from scirepeval_harness.vectors.keys import KeyIndex, Ledger, first_places, key_array, text_key

# Few distinct bytes: many equal keys, and many that end in the zero bytes that numpy strips.
KEYS = st.lists(
    st.binary(min_size=2, max_size=2).map(lambda raw: raw + b"\0" * 14), min_size=0, max_size=60
)


def test_a_text_key_is_the_front_of_its_sha_256() -> None:
    assert text_key("Straße") == hashlib.sha256("Straße".encode()).digest()[:16]
    assert len(text_key("\ud800")) == 16, "a lone surrogate, as broken PDFs give, is a text too"


@settings(max_examples=200, deadline=None)
@given(known=KEYS, asked=KEYS)
def test_the_index_answers_as_a_dictionary_does(known: list[bytes], asked: list[bytes]) -> None:
    plain: dict[bytes, int] = {}
    for row, key in enumerate(known):
        plain.setdefault(key, row)
    index = KeyIndex(key_array(known))
    assert len(index) == len(plain)
    assert index.find(key_array(asked)).tolist() == [plain.get(key, -1) for key in asked]


@settings(max_examples=200, deadline=None)
@given(keys=KEYS)
def test_first_places_keep_the_order_of_first_occurrence(keys: list[bytes]) -> None:
    first, place = first_places(key_array(keys))
    distinct = list(dict.fromkeys(keys))
    assert [keys[at] for at in first] == distinct
    assert [distinct[at] for at in place] == keys


def test_a_million_keys_take_twenty_bytes_each() -> None:
    keys = key_array(np.random.default_rng(0).bytes(16_000_000)[i : i + 16]
                     for i in range(0, 1_600, 16))  # fmt: skip
    assert keys.itemsize == 16
    index = KeyIndex(np.frombuffer(np.random.default_rng(0).bytes(16_000_000), dtype="S16"))
    assert index._keys.nbytes + index._rows.nbytes == 20_000_000
    assert len(index) == 1_000_000


def test_a_ledger_knows_what_it_met_in_each_space() -> None:
    dice = np.random.default_rng(3)
    ledger, met = Ledger(), {"a": set[bytes](), "b": set[bytes]()}
    for _ in range(40):
        space = "ab"[int(dice.integers(2))]
        # Few values, with zeros at their ends, which numpy strips of single elements.
        raw = [bytes(row) for row in dice.integers(0, 2, (int(dice.integers(0, 30)), 16), np.uint8)]
        raw = [value[:12] + bytes(4) for value in raw]
        expected = []
        for place, key in enumerate(raw):
            if key not in met[space]:
                met[space].add(key)
                expected.append(place)
        assert ledger.new(space, key_array(raw)).tolist() == expected
