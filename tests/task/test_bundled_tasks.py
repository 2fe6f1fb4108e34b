"""The bundled suites say what the protocol's table says."""

from __future__ import annotations

from pathlib import Path

import pytest

from scirepeval_harness.task.registry import Registry, load_registry

# Name, format, metrics, meta config, test config: the protocol's table, written out again.
IN_TRAIN = """
mesh-descriptors classification f1_macro mesh_descriptors mesh_descriptors
fields-of-study classification f1_macro fos fos
citation-count regression kendalltau cite_count cite_count
publication-year regression kendalltau pub_year pub_year
same-author proximity map same_author same_author
highly-influential-citations proximity map high_influence_cite high_influence_cite
search adhoc_search ndcg search search
"""
OUT_OF_TRAIN = """
biomimicry classification f1 biomimicry biomimicry
drsm classification f1_macro drsm drsm
scidocs-mag classification f1_macro scidocs_mag_mesh scidocs_mag
scidocs-mesh classification f1_macro scidocs_mag_mesh scidocs_mesh
peer-review-score regression kendalltau peer_review_score_hIndex peer_review_score
max-hindex regression kendalltau peer_review_score_hIndex hIndex
tweet-mentions regression kendalltau tweet_mentions tweet_mentions
s2and proximity b3_f1 - -
reviewer-matching proximity P_5,P_10 paper_reviewer_matching paper_reviewer_matching
relish proximity ndcg relish relish
nfcorpus adhoc_search ndcg nfcorpus nfcorpus
trec-covid adhoc_search ndcg trec_covid trec_covid
scidocs-cite proximity map,ndcg scidocs_view_cite_read scidocs_cite
scidocs-coview proximity map,ndcg scidocs_view_cite_read scidocs_view
scidocs-cocite proximity map,ndcg scidocs_view_cite_read scidocs_cocite
scidocs-coread proximity map,ndcg scidocs_view_cite_read scidocs_read
"""
FEW_SHOT = {
    "fields-of-study": [(10, 50), (5, 100)],
    "biomimicry": [(64, 50), (16, 100)],
    "drsm": [(64, 50), (24, 100)],
}


def rows(table: str) -> list[list[str]]:
    return [line.split() for line in table.splitlines() if line]


@pytest.fixture(scope="module")
def registry() -> Registry:
    return load_registry()


@pytest.mark.parametrize("row", rows(IN_TRAIN + OUT_OF_TRAIN), ids=lambda row: row[0])
def test_each_task_of_the_table(registry: Registry, row: list[str]) -> None:
    name, format_, metrics, meta, test = row
    task = registry.task(name)
    assert task.format.value == format_
    assert task.metrics == tuple(metrics.split(","))
    shots = [(shots.sample_size, shots.iterations) for shots in task.few_shot]
    assert shots == FEW_SHOT.get(name, [])
    assert task.multi_label == (name == "fields-of-study")
    assert not task.synthetic
    if meta == "-":
        assert task.hub is None
        return
    assert task.hub is not None
    assert task.hub.documents is not None
    assert task.hub.labels is not None
    documents, labels = task.hub.documents, task.hub.labels
    assert (documents.repo, documents.config, documents.split) == (
        "allenai/scirepeval",
        meta,
        "evaluation",
    )
    assert (labels.repo, labels.config) == ("allenai/scirepeval_test", test)
    assert (task.local.documents, task.local.labels) == (f"{meta}/meta.jsonl", test)


def test_groups_hold_seven_and_twenty_numbers(registry: Registry) -> None:
    suite = registry.suite("scirepeval")
    columns = {column.name: column for column in suite.columns}
    assert list(columns) == ["In-Train", "Out-of-Train", "Average"]
    assert columns["In-Train"].tasks == tuple(row[0] for row in rows(IN_TRAIN))
    assert columns["Out-of-Train"].tasks == tuple(row[0] for row in rows(OUT_OF_TRAIN))
    assert columns["Average"].pools == ("In-Train", "Out-of-Train")

    def numbers(names: tuple[str, ...]) -> int:
        # Reviewer matching is one number whatever its metrics; SciDocs' rankings are two.
        return sum(2 if registry.task(name).metrics == ("map", "ndcg") else 1 for name in names)

    assert numbers(columns["In-Train"].tasks) == 7
    assert numbers(columns["Out-of-Train"].tasks) == 20


def test_only_search_adds_venue_and_year(registry: Registry) -> None:
    suite = registry.suite("scirepeval")
    longer = {
        name for name in suite.task_names() if registry.task(name).fields != ("title", "abstract")
    }
    assert longer == {"search"}
    assert registry.task("search").fields == ("title", "abstract", "venue", "year")


def test_reviewer_matching_reads_the_reviewers(registry: Registry) -> None:
    task = registry.task("reviewer-matching")
    assert task.hub is not None
    assert task.hub.reviewers is not None
    assert (task.hub.reviewers.config, task.hub.reviewers.split) == ("reviewers", "metadata")
    assert task.local.reviewers == "reviewers"


def test_data_revisions_are_pinned(registry: Registry) -> None:
    suite = registry.suite("scirepeval")
    assert suite.revisions == {
        "allenai/scirepeval": "781d35d1bf87253b3dcd0fadcb82bfbee9c244f1",
        "allenai/scirepeval_test": "refs/convert/parquet",
    }
    assert suite.task_set == "v2"


def test_mdcr(registry: Registry) -> None:
    task, suite = registry.task("mdcr"), registry.suite("mdcr")
    assert task.metrics == ("map", "ndcg", "recall_5")
    assert "; ".join(task.expected_fields) == (
        "Art; Biology; Business; Chemistry; Computer Science; Economics; Engineering; "
        "Environmental Science; Geography; Geology; History; Materials Science; Mathematics; "
        "Medicine; Philosophy; Physics; Political Science; Psychology; Sociology"
    )
    assert len(task.expected_fields) == 19
    assert (task.local.pools, task.local.documents) == (
        "mdcr_test.json",
        "mdcr_test_data.jsonl",
    )
    assert [(column.name, column.metric) for column in suite.columns] == [
        ("MDCR MAP", "map"),
        ("MDCR Recall@5", "recall_5"),
    ]


def test_files_are_named_after_their_tasks(registry: Registry) -> None:
    for name, origin in registry.origins.items():
        # A drawn task has no file of its own, but its suite's.
        path, drawn = Path(origin), registry.task(name).draw is not None
        found, expected = (path.parent.name, registry.homes[name]) if drawn else (path.stem, name)
        assert found == expected, origin
        assert Path(origin).parent.name == registry.homes[name]
