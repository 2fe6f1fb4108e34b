"""Papers say what their plan says, in the register that it asks for."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tools.sample.draw import Draw
from tools.sample.vocabulary import load_vocabulary
from tools.sample.writing import Paper, Plan, fill, mention, write

WORDS = load_vocabulary()
CARDIOLOGY, PLANTS = WORDS.topics[0], WORDS.topics[2]
PLAN = Plan(CARDIOLOGY.concepts[:2], aside=PLANTS.concepts[0], name="Karvis", extra=("So it is.",))


def test_a_paper_carries_its_concepts_its_name_and_its_sentences() -> None:
    for seed in range(40):
        title, abstract = write(Draw(seed, "paper"), WORDS, PLAN)
        text = f"{title} {abstract}".lower()
        assert any(form.lower() in text for form in PLAN.concepts[0].forms)
        assert any(form.lower() in text for form in PLANTS.concepts[0].forms)
        assert abstract.count("Karvis") == 1
        assert abstract.count("So it is.") == 1
        assert "{" not in text
        assert "  " not in abstract
        assert title[0].isupper()
        assert all(part[0].isupper() for part in abstract.split(". "))


def test_no_sentence_is_repeated_within_a_paper() -> None:
    for seed in range(40):
        sentences = write(Draw(seed, "paper"), WORDS, PLAN)[1].split(". ")
        assert len(set(sentences)) == len(sentences)


def test_a_plan_without_name_and_aside_leaves_them_out() -> None:
    bare = Plan(PLAN.concepts)
    with_both = [len(write(Draw(s, "n"), WORDS, PLAN)[1].split(". ")) for s in range(50)]
    without = [len(write(Draw(s, "n"), WORDS, bare)[1].split(". ")) for s in range(50)]
    assert (min(with_both), max(with_both)) == (7, 8)
    assert (min(without), max(without)) == (4, 5)


def test_the_register_is_kept_most_of_the_time_and_never_the_plain_wording() -> None:
    forms = CARDIOLOGY.concepts[0].forms
    for second in (False, True):
        draw = Draw(1, f"register {second}")
        said = [forms.index(mention(draw, forms, second)) for _ in range(2000)]
        assert set(said) == {0, 1, 2, 3}
        assert sum(index >= 2 for index in said) / 2000 == pytest.approx(
            0.85 if second else 0.15, abs=0.03
        )


@pytest.mark.parametrize(("alternative", "expected"), [(0.0, 0.15), (1.0, 0.85)])
def test_a_plan_sets_the_register_of_the_paper(alternative: float, expected: float) -> None:
    plan = replace(Plan(CARDIOLOGY.concepts[:2]), alternative=alternative)
    counts = [0, 0]
    for seed in range(150):
        text = " ".join(write(Draw(seed, "r"), WORDS, plan)).lower()
        for concept in plan.concepts:
            for index, form in enumerate(concept.forms[:4]):
                counts[index // 2] += text.count(form.lower())
    assert counts[1] / sum(counts) == pytest.approx(expected, abs=0.05)


def test_fill_capitalises_a_slot_and_the_sentence() -> None:
    draw = Draw(1, "fill")
    assert (
        fill(draw, WORDS, "{A} and {a}", {"a": "heart attack"}) == "Heart attack and heart attack"
    )
    assert fill(draw, WORDS, "{a} and {b}", {"a": "rest", "b": "DNA"}) == "Rest and DNA"
    with pytest.raises(KeyError):
        fill(draw, WORDS, "{q}", {})


def test_shared_counts_common_concepts() -> None:
    one = Paper("1", "t", "a", Plan(CARDIOLOGY.concepts[:3]))
    other = Paper("2", "t", "a", Plan(CARDIOLOGY.concepts[1:4]))
    assert one.shared(other) == 2
    assert one.main is CARDIOLOGY.concepts[0]
