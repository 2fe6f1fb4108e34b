"""Labels follow from what papers are about, and the splits do not overlap."""

from __future__ import annotations

import json

from scipy.stats import kendalltau

from tools.sample import labelled
from tools.sample.draw import Draw
from tools.sample.labelled import Labels
from tools.sample.vocabulary import load_vocabulary

WORDS = load_vocabulary()
LINES = labelled.topic_papers(Draw(1, "topics"), WORDS, 28, 5)


def check_split(labels: Labels, train: int, test: int) -> None:
    ids = [key for key, _ in (*labels.train, *labels.test)]
    assert (len(labels.train), len(labels.test)) == (train, test)
    assert len(set(ids)) == len(ids)


def test_a_line_of_work_keeps_to_three_concepts_of_a_topic() -> None:
    for line in LINES:
        topic = line[0].main.topic
        own = {c for paper in line for c in paper.plan.concepts if c.topic == topic}
        assert {paper.main.topic for paper in line} == {topic}
        assert len(own) <= 3
    assert len({paper.id for line in LINES for paper in line}) == 140
    assert {len(paper.id) for line in LINES for paper in line} == {40}


def test_topic_labels_name_the_main_concepts_topic() -> None:
    labels = labelled.topic_labels(Draw(1, "labels"), WORDS, LINES)
    check_split(labels, 84, 56)
    papers = {paper.id: paper for line in LINES for paper in line}
    for key, label in (*labels.train, *labels.test):
        assert WORDS.topics[int(label)].name == papers[key].main.topic


def test_field_labels_are_lists_with_all_fields_of_a_paper() -> None:
    labels = labelled.field_labels(Draw(1, "labels"), WORDS, LINES)
    check_split(labels, 84, 56)
    papers = {paper.id: paper for line in LINES for paper in line}
    for key, label in (*labels.train, *labels.test):
        row = json.loads(label)
        said = {field for field, value in zip(WORDS.fields, row, strict=True) if value}
        assert said == {concept.field for concept in papers[key].plan.concepts}
    sizes = [sum(json.loads(label)) for _, label in labels.train]
    assert set(sizes) == {1, 2}


def test_years_and_citations_follow_what_a_paper_says_with_noise() -> None:
    papers = labelled.record_papers(Draw(2, "records"), WORDS, 600, 400)
    citations, years = labelled.record_labels(papers, 400)
    check_split(citations, 400, 200)
    check_split(years, 400, 200)
    assert min(int(year) for _, year in years.train) >= labelled.FIRST_YEAR
    assert max(int(year) for _, year in years.train) < labelled.FIRST_YEAR + 60
    assert min(float(value) for _, value in citations.train) >= 0
    said_era = [
        next(k for k, row in enumerate(WORDS.eras) if set(row) & set(paper.plan.extra))
        for paper in papers
    ]
    said_impact = [
        next(k for k, row in enumerate(WORDS.impact) if set(row) & set(paper.plan.extra))
        for paper in papers
    ]
    year_tau = kendalltau(said_era, [paper.year for paper in papers]).statistic
    cite_tau = kendalltau(said_impact, [p.marks["log_citations"] for p in papers]).statistic
    assert 0.7 < year_tau < 0.95
    assert 0.2 < cite_tau < 0.6


def test_test_rows_use_a_wording_of_an_era_that_training_lacks() -> None:
    papers = labelled.record_papers(Draw(2, "records"), WORDS, 600, 400)
    train = {sentence for paper in papers[:400] for sentence in paper.plan.extra}
    test = {sentence for paper in papers[400:] for sentence in paper.plan.extra}
    for row in WORDS.eras:
        assert row[3] in test - train
        assert row[0] in train - test


def test_nature_labels_follow_the_subject_except_one_in_twenty() -> None:
    papers = labelled.nature_papers(Draw(3, "nature"), WORDS, 1000, 600)
    labels = labelled.nature_labels(papers, 600)
    check_split(labels, 600, 400)
    functions = {form for row in WORDS.functions for form in row}
    wrong = positive = 0
    for paper in papers:
        assert paper.abstract is not None
        text = paper.abstract.lower()
        # Two sentences are on the subject, at most one mentions the other kind.
        found = sum(text.count(form.lower()) for form in functions)
        label = paper.marks["positive"]
        positive += label == 1
        wrong += (found >= 2) != bool(label)
    assert 0.35 < positive / 1000 < 0.47
    assert 0.03 < wrong / 1000 < 0.08
