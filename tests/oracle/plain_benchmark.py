"""SciRepEval and MDCR as one plain script: a second program that must give the harness's numbers.

    python -m tests.oracle.plain_benchmark DATA MODELS OUT.json SYSTEM...

DATA is a folder in the benchmark's local form, MODELS one of ``<org>/<name>/<revision>/`` model
folders. Nothing comes from the harness: the tasks and the systems are written out below, documents
are encoded one at a time in float32 with one adapter in one model, and scikit-learn, scipy and
bm25s are called as their manuals say. OUT is {system: {task: {score: value}}}.
"""

import csv
import json
import math
import sys
import warnings
from pathlib import Path

import numpy as np

from tests.oracle import ranking
from tests.oracle.documents import grades, text_of

TITLE_ABSTRACT = ["title", "abstract"]
SUPERVISED = [
    # task, documents, labels, kind, few-shot sample sizes
    ("mesh-descriptors", "mesh_descriptors", "mesh_descriptors", "single", []),
    ("fields-of-study", "fos", "fos", "multi", [10, 5]),
    ("citation-count", "cite_count", "cite_count", "regression", []),
    ("publication-year", "pub_year", "pub_year", "regression", []),
    ("biomimicry", "biomimicry", "biomimicry", "binary", [64, 16]),
    ("drsm", "drsm", "drsm", "single", [64, 24]),
    ("scidocs-mag", "scidocs_mag_mesh", "scidocs_mag", "single", []),
    ("scidocs-mesh", "scidocs_mag_mesh", "scidocs_mesh", "single", []),
    ("peer-review-score", "peer_review_score_hIndex", "peer_review_score", "regression", []),
    ("max-hindex", "peer_review_score_hIndex", "hIndex", "regression", []),
    ("tweet-mentions", "tweet_mentions", "tweet_mentions", "regression", []),
]
RANKED = [
    # task, documents, labels, text queries, fields of candidates, metrics
    ("same-author", "same_author", "same_author", False, TITLE_ABSTRACT, ["map"]),
    ("highly-influential-citations", "high_influence_cite", "high_influence_cite", False,
     TITLE_ABSTRACT, ["map"]),
    ("search", "search", "search", True, [*TITLE_ABSTRACT, "venue", "year"], ["ndcg"]),
    ("relish", "relish", "relish", False, TITLE_ABSTRACT, ["ndcg"]),
    ("nfcorpus", "nfcorpus", "nfcorpus", True, TITLE_ABSTRACT, ["ndcg"]),
    ("trec-covid", "trec_covid", "trec_covid", True, TITLE_ABSTRACT, ["ndcg"]),
    ("scidocs-cite", "scidocs_view_cite_read", "scidocs_cite", False, TITLE_ABSTRACT,
     ["map", "ndcg"]),
    ("scidocs-coview", "scidocs_view_cite_read", "scidocs_view", False, TITLE_ABSTRACT,
     ["map", "ndcg"]),
    ("scidocs-cocite", "scidocs_view_cite_read", "scidocs_cocite", False, TITLE_ABSTRACT,
     ["map", "ndcg"]),
    ("scidocs-coread", "scidocs_view_cite_read", "scidocs_read", False, TITLE_ABSTRACT,
     ["map", "ndcg"]),
]  # fmt: skip
ROLES = ["classification", "regression", "proximity", "query"]
SYSTEMS = {
    # base, what each role in the order of ROLES loads or writes in front of the text
    "specter": ("allenai/specter", None, None),
    "scincl": ("malteos/scincl", None, None),
    "scibert": ("allenai/scibert_scivocab_uncased", None, None),
    "scirepeval-adapters": (
        "malteos/scincl",
        [f"allenai/scirepeval_adapters_{end}" for end in ("clf", "rgn", "prx", "qry")],
        None,
    ),
    "specter2-base": ("allenai/specter2_base", None, None),
    "specter2": (
        "allenai/specter2_base",
        ["allenai/specter2_classification", "allenai/specter2_regression", "allenai/specter2",
         "allenai/specter2_adhoc_query"],
        None,
    ),
    "scirepeval-ctrl": ("allenai/scirepeval_ctrl", None, ["[CLF]", "[RGN]", "[PRX]", "[QRY]"]),
}  # fmt: skip
ITERATIONS = 3
"""Few-shot iterations of the made benchmark; the published numbers are 50 and 100."""


class Transformer:
    """One role of one system."""

    def __init__(self, models, system, role):
        import torch
        from adapters import AutoAdapterModel
        from transformers import AutoTokenizer

        base, adapters, codes = SYSTEMS[system]
        place = ROLES.index(role)
        [folder] = (models / base).iterdir()
        self.torch = torch
        self.tokenizer = AutoTokenizer.from_pretrained(str(folder))
        self.model = AutoAdapterModel.from_pretrained(str(folder))
        if adapters:
            [adapter] = (models / adapters[place]).iterdir()
            self.model.load_adapter(str(adapter), load_as="the_only_one", set_active=True)
        self.model.eval()
        self.code = codes[place] if codes else None
        self.separator = self.tokenizer.sep_token
        self.known = {}

    def vector(self, row, fields):
        """The vector of a document, or of a query that is a text."""
        text = row if isinstance(row, str) else text_of(row, fields, self.separator)
        if self.code:
            text = f"{self.code} {text}"
        if text not in self.known:
            inputs = self.tokenizer(
                text,
                truncation=True,
                max_length=512,
                return_token_type_ids=False,
                return_tensors="pt",
            )
            with self.torch.no_grad():
                states = self.model(**inputs).last_hidden_state[0]
            self.known[text] = states[1 if self.code else 0].numpy().astype(np.float32)
        return self.known[text]


def lines(path):
    with open(path, encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def first_rows(rows, name="doc_id"):
    found = {}
    for row in rows:
        if str(row[name]) not in found:
            found[str(row[name])] = row
    return found


def supervised(data, config, labels, kind, sizes, encoder):
    documents = first_rows(lines(data / config / "meta.jsonl"))
    x, y = {}, {}
    for split in ("train", "test"):
        with open(data / labels / f"{split}.csv", newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        x[split] = np.stack(
            [encoder.vector(documents[row["paper_id"]], TITLE_ABSTRACT) for row in rows]
        )
        y[split] = np.array([read_label(row["label"], kind) for row in rows])
    found = {}
    if kind == "regression":
        return {"kendalltau": regression(x, y)}
    metric = "f1" if kind == "binary" else "f1_macro"
    found[metric] = classification(x, y, kind, range(len(y["train"])), True)
    for size in sizes:
        scores = []
        for rows in few_shot_rows(y["train"], kind, size):
            scores.append(round(classification(x, y, kind, rows, kind == "multi"), 2))
        found[f"{metric}@{size}-shot"] = sum(scores) / len(scores)
    return found


def read_label(text, kind):
    if kind == "multi":
        return json.loads(text)
    if kind == "regression":
        return float(text)
    return int(text) if text.isdigit() else text


def classification(x, y, kind, rows, grid):
    from sklearn.metrics import f1_score
    from sklearn.model_selection import GridSearchCV
    from sklearn.multiclass import OneVsRestClassifier
    from sklearn.svm import LinearSVC

    if kind == "multi":
        svm = LinearSVC(loss="hinge", max_iter=10000, random_state=42)
    else:
        svm = LinearSVC(loss="squared_hinge", random_state=42)
    if grid:
        svm = GridSearchCV(svm, {"C": [0.01, 0.1, 1.0, 10.0, 100.0]}, cv=3)
    if kind == "multi":
        svm = OneVsRestClassifier(svm)
    rows = list(rows)
    svm.fit(x["train"][rows], y["train"][rows])
    average = "binary" if kind == "binary" else "macro"
    return 100 * f1_score(y["test"], svm.predict(x["test"]), average=average, zero_division=0)


def few_shot_rows(labels, kind, size):
    """Training rows of each iteration."""
    from sklearn.model_selection import StratifiedKFold

    if kind != "multi":
        folds = StratifiedKFold(n_splits=math.ceil(len(labels) / size))
        return [small for _, small in folds.split(labels, labels)][:ITERATIONS]
    found = []
    for k in range(ITERATIONS):
        np.random.seed(42 + k)
        chosen = set()
        for c in range(labels.shape[1]):
            positives = [i for i in range(len(labels)) if labels[i, c] == 1]
            chosen.update(int(i) for i in np.random.choice(positives, size, replace=False))
        found.append(list(chosen))
    return found


def regression(x, y):
    from scipy.stats import kendalltau
    from sklearn.model_selection import GridSearchCV
    from sklearn.svm import LinearSVR

    grid = {"C": [0.0001, 0.001, 0.01, 0.1, 1.0, 10.0, 100.0]}
    svm = GridSearchCV(LinearSVR(random_state=42), grid, cv=3).fit(x["train"], y["train"])
    return 100 * kendalltau(y["test"], svm.predict(x["test"])).statistic


def ranked_rows(data, config):
    """Queries and candidates by id, the first row of each."""
    rows = lines(data / config / "meta.jsonl")
    if "query" not in rows[0]:
        return first_rows(rows), first_rows(rows)
    queries = {}
    for row in rows:
        queries.setdefault(str(row["doc_id"]), row["query"])
    return queries, first_rows(candidate for row in rows for candidate in row["candidates"])


def ranked(data, config, labels, fields, metrics, query_encoder, encoder):
    qrels = grades(lines(data / labels / "test_qrel.jsonl"))
    queries, candidates = ranked_rows(data, config)
    vectors = {query: query_encoder.vector(queries[query], TITLE_ABSTRACT) for query in qrels}
    for query in qrels:
        for item in qrels[query]:
            if item not in vectors:
                vectors[item] = encoder.vector(candidates[item], fields)
    return {metric: ranking.ranking_score(metric, vectors, qrels) for metric in metrics}


def reviewers(data, encoder):
    folder = data / "paper_reviewer_matching"
    documents = first_rows(lines(folder / "meta.jsonl"))
    people = {
        row["r_id"]: [str(paper) for paper in row["papers"]]
        for row in lines(data / "reviewers" / "reviewer_metadata.jsonl")
    }
    hard = grades(lines(folder / "test_hard_qrel.jsonl"))
    soft = grades(lines(folder / "test_soft_qrel.jsonl"))
    needed = [*hard, *(paper for name in people for paper in people[name])]
    vectors = {paper: encoder.vector(documents[paper], TITLE_ABSTRACT) for paper in needed}
    return ranking.reviewer_scores(["P_5", "P_10"], hard, soft, people, vectors)


def read_pools(data):
    fields = json.loads((data / "mdcr_test.json").read_text())
    for field in fields:
        for query in fields[field]:
            fields[field][query] = ranking.pool(fields[field][query])
    return fields, first_rows(lines(data / "mdcr_test_data.jsonl"), "paper_id")


def pools(data, encoder):
    fields, documents = read_pools(data)
    vectors = {paper: encoder.vector(documents[paper], TITLE_ABSTRACT) for paper in documents}
    return ranking.citation_scores(["map", "ndcg", "recall_5"], fields, vectors)


def bm25_scores(queries, candidates, qrels):
    """BM25 of every candidate; terms are counted in ``candidates`` (texts by id)."""
    import bm25s
    import Stemmer

    stemmer = Stemmer.Stemmer("english")
    names = list(candidates)
    model = bm25s.BM25(method="lucene", k1=1.5, b=0.75, dtype="float64")
    corpus = bm25s.tokenize(
        [candidates[name] for name in names], stopwords="en", stemmer=stemmer, show_progress=False
    )
    model.index(corpus, show_progress=False)
    found = {}
    for query in qrels:
        [words] = bm25s.tokenize(
            [queries[query]], stopwords="en", stemmer=stemmer, return_ids=False,
            show_progress=False,
        )  # fmt: skip
        known = [word for word in words if word in model.vocab_dict]
        scores = model.get_scores(known) if known else np.zeros(len(names))
        found[query] = {item: float(scores[names.index(item)]) for item in qrels[query]}
    return found


def words_of(row, fields):
    if isinstance(row, str):
        return row
    return text_of(row, fields, "|").replace(" | ", " ")


def bm25(data):
    found = {}
    for task, config, labels, _, fields, metrics in RANKED:
        qrels = grades(lines(data / labels / "test_qrel.jsonl"))
        queries, candidates = ranked_rows(data, config)
        asked = {query: words_of(queries[query], TITLE_ABSTRACT) for query in qrels}
        pool = {
            item: words_of(candidates[item], fields) for query in qrels for item in qrels[query]
        }
        scores = bm25_scores(asked, pool, qrels)
        found[task] = {
            metric: 100 * ranking.mean(
                [ranking.value(metric, scores[query], qrels[query]) for query in qrels]
            )
            for metric in metrics
        }  # fmt: skip
    fields, documents = read_pools(data)
    needed = {key for qrels in fields.values() for query in qrels for key in [query, *qrels[query]]}
    texts = {key: words_of(documents[key], TITLE_ABSTRACT) for key in documents if key in needed}
    found["mdcr"] = {}
    for metric in ("map", "ndcg", "recall_5"):
        means = []
        for field, qrels in fields.items():
            scores = bm25_scores(texts, texts, qrels)
            values = [ranking.value(metric, scores[query], qrels[query]) for query in qrels]
            means.append(round(100 * ranking.mean(values), 4))
            found["mdcr"][f"{metric}[{field}]"] = means[-1]
        found["mdcr"][metric] = ranking.mean(means)
    return found


def transformer(data, models, system):
    encoders = {role: Transformer(models, system, role) for role in ROLES}
    found = {}
    for task, config, labels, kind, sizes in SUPERVISED:
        role = "regression" if kind == "regression" else "classification"
        found[task] = supervised(data, config, labels, kind, sizes, encoders[role])
    for task, config, labels, text_queries, fields, metrics in RANKED:
        query_encoder = encoders["query" if text_queries else "proximity"]
        found[task] = ranked(
            data, config, labels, fields, metrics, query_encoder, encoders["proximity"]
        )
    found["reviewer-matching"] = reviewers(data, encoders["proximity"])
    found["mdcr"] = pools(data, encoders["proximity"])
    return found


def main(data, models, out, *systems):
    warnings.simplefilter("ignore")
    found = {}
    for system in systems:
        if system == "bm25":
            found[system] = bm25(Path(data))
        else:
            found[system] = transformer(Path(data), Path(models), system)
    Path(out).write_text(json.dumps(found, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
