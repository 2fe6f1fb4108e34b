"""Reviewers' and citation pools' labels follow from what they know and cite."""

from __future__ import annotations

from tools.sample import panels
from tools.sample.draw import Draw
from tools.sample.vocabulary import load_vocabulary

WORDS = load_vocabulary()


def test_hard_reviewers_are_soft_ones_and_every_pair_is_labelled() -> None:
    found = panels.panel(Draw(1, "reviewers"), WORDS, 30, 35)
    hard = {(paper, name): grade for paper, name, grade in found.hard}
    soft = {(paper, name): grade for paper, name, grade in found.soft}
    assert hard.keys() == soft.keys()
    assert len(hard) == 30 * 35
    assert all(soft[pair] >= grade for pair, grade in hard.items())
    assert 0 < sum(hard.values()) < sum(soft.values()) < len(soft) / 2


def test_a_hard_reviewer_has_written_on_the_submissions_concepts() -> None:
    found = panels.panel(Draw(1, "reviewers"), WORDS, 30, 35)
    written = {
        name: {concept for paper in papers for concept in paper.plan.concepts}
        for name, papers in found.reviewers.items()
    }
    wanted = {paper.id: set(paper.plan.concepts) for paper in found.submissions}
    for paper, name, grade in found.hard:
        # Five papers may miss a concept that the reviewer knows, so this holds in one direction.
        assert grade or not wanted[paper] <= written[name]
    ids = [p.id for papers in found.reviewers.values() for p in papers]
    assert len({*ids, *wanted}) == len(ids) + len(wanted)


def test_pools_hold_all_lists_and_cited_papers_of_the_querys_line() -> None:
    found = panels.pools(Draw(2, "pools"), WORDS, 4, 6)
    papers = {paper.id: paper for paper in found.papers}
    assert len(found.fields) == 4
    overlap = 0
    for field, queries in found.fields.items():
        assert len(queries) == 6
        for query, lists in queries.items():
            assert tuple(lists) == panels.POOL_LISTS
            assert papers[query].main.field == field
            pool = {item for items in lists.values() for item in items}
            assert query not in pool
            assert pool <= papers.keys()
            topics = {papers[item].main.topic for item in lists["true"]}
            assert topics == {papers[query].main.topic}
            assert all(papers[item].main.field == field for item in lists["most_cited"])
            overlap += len(set(lists["true"]) & {*lists["bm25"], *lists["specter"]})
    assert overlap > 0
