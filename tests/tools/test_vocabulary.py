"""The word lists hold what the generator relies on."""

from __future__ import annotations

import re
from collections import Counter

from tools.sample.vocabulary import load_vocabulary

WORDS = load_vocabulary()


def test_two_topics_a_field_and_six_concepts_in_five_wordings() -> None:
    assert len(WORDS.topics) == 14
    assert Counter(topic.field for topic in WORDS.topics) == dict.fromkeys(WORDS.fields, 2)
    for topic in WORDS.topics:
        assert len(topic.concepts) == 6
        assert all(len(set(concept.forms)) == 5 for concept in topic.concepts)
        assert all(concept.topic == topic.name for concept in topic.concepts)
    assert [topic.name for topic in WORDS.topics_of("Medicine")] == [
        "Cardiology",
        "Infectious Diseases",
    ]


def test_no_wording_stands_for_two_things() -> None:
    forms = [form for topic in WORDS.topics for concept in topic.concepts for form in concept.forms]
    forms += [form for row in (*WORDS.functions, *WORDS.ecologies, *WORDS.methods) for form in row]
    assert [form for form, count in Counter(forms).items() if count > 1] == []


def test_rows_have_the_four_wordings_that_train_and_test_divide() -> None:
    for table in (WORDS.methods, WORDS.eras, WORDS.impact, WORDS.functions, WORDS.ecologies):
        assert {len(row) for row in table} == {4}


def test_templates_use_known_slots_only() -> None:
    for name, lists in (("lists", WORDS.lists), ("nature", WORDS.nature)):
        slots = {
            s for row in lists.values() for text in row for s in re.findall(r"\{(.*?)\}", text)
        }
        assert slots <= set("abcmnskwpAM" if name == "lists" else "xyokpXO")


def test_an_adjective_after_a_needs_no_an() -> None:
    assert not [word for word in WORDS.lists["adjectives"] if word[0] in "aeiou"]
