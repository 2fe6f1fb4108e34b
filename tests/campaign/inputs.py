"""The kinds of input files: how sound ones are made, which command reads them, what may pass.

A kind of file more is a `Kind` more in `KINDS`: a function that writes sound inputs, the command,
the file and the places in it.
"""

from __future__ import annotations

import csv
import importlib
import json
import os
import shutil
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tests.campaign.judge import TEXT_ANYWHERE, Kind, modules_of

WORDS = (
    ("graph", "citation", "network", "author", "library", "index"),
    ("protein", "enzyme", "cell", "gene", "vaccine", "tissue"),
)
RUN = (
    "run",
    "--output",
    "out",
    "--no-cache",
    "--offline",
    "--data",
    "data",
    "--tasks-dir",
    "tasks",
)
TFIDF = (*RUN, "--model", "tfidf")
# The reasons for which a damage may change scores without a word.
OTHER_TEXT = "another text is a text like any other"
NUMBER = "a number is read as its digits, which is what a title such as 1984 is in JSON"
OPTIONAL = "an abstract is optional in the benchmark's own files"
OTHER_LABEL = "a class of another name is a class"
DEFAULTS = {
    "*: missing": "the library that wrote the file has defaults for what is absent",
    "*: key *": "a key that is not known is left aside, as the library does: the default holds",
    "*: number": "the numbers of a config are what the model is",
}
LESS = "what a set lacks that nothing else names, nobody can tell"
TOKENIZER = {
    "*: missing": "a tokenizer without this part is another tokenizer",
    "*: key *": "a tokenizer without this part is another tokenizer",
    "post_processor: null": "a tokenizer without this part is another tokenizer",
    "normalizer: null": "a tokenizer without this part is another tokenizer",
    "pre_tokenizer: null": "a tokenizer without this part is another tokenizer",
}
NO_DIGEST = "parquet files hold no digest of their values"
BLOCK = "a block of another name"
TWICE = "a row given twice counts twice, as in the reference"
OTHER_NUMBER = "another number is a number like any other"


def load_libraries() -> None:
    """Import all that runs import, once, for forked children to have it already."""
    with TemporaryDirectory() as folder:
        for kind in KINDS:
            if kind.name in (
                "classes",
                "sets of labels",
                "weights of a model",
                "vectors .parquet",
                "labels of the hub",
            ):
                for name in modules_of(kind, Path(folder)):
                    # A module that cannot be imported by its name alone is imported by its user.
                    with suppress(Exception):
                        importlib.import_module(name)
    import torch

    torch.set_num_threads(1)


def text(number: int) -> str:
    """Words of the paper's class, in another order for each paper."""
    own = WORDS[number % 2]
    return " ".join(own[(number * k + k * k) % 6] for k in range(1, 5)) + f" paper{number % 7}"


def paper(number: int) -> dict[str, Any]:
    """A document without its id."""
    return {"title": text(number), "abstract": f"we study {text(number + 2)}"}


def put_lines(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    """Write JSON lines."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def put_task(name: str, body: str, folder: Path) -> None:
    """Write a task file."""
    (folder / "tasks").mkdir(parents=True, exist_ok=True)
    (folder / "tasks" / f"{name}.toml").write_text(f'name = "{name}"\n{body}', encoding="utf-8")


def put_labels(folder: Path, label: Callable[[int], object], name: str = "labels") -> None:
    """Write train.csv and test.csv of 24 and 8 papers."""
    for split, numbers in (("train", range(24)), ("test", range(24, 32))):
        path = folder / "data" / name / f"{split}.csv"
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("w", newline="", encoding="utf-8") as stream:
            rows = [(f"p{n}", label(n)) for n in numbers]
            csv.writer(stream).writerows([("paper_id", "label"), *rows])


def put_papers(folder: Path, *, key: str = "doc_id", name: str = "papers.jsonl") -> None:
    """Write 32 documents."""
    put_lines(folder / "data" / name, [{key: f"p{n}", **paper(n)} for n in range(32)])


PROBE = 'title = "Topic"\nformat = "{0}"\nevaluation = "probe"\nmetrics = ["{1}"]\n{2}[local]\n'
PROBE += 'documents = "papers.jsonl"\nlabels = "labels"\n'


def classification(folder: Path) -> None:
    """A task of two classes."""
    put_task("topic", PROBE.format("classification", "f1_macro", ""), folder)
    put_papers(folder)
    put_labels(folder, lambda n: f"class {(n + n % 5 // 3) % 2}")


def regression(folder: Path) -> None:
    """A task of numbers that the words foretell in part."""
    put_task("year", PROBE.format("regression", "kendalltau", ""), folder)
    put_papers(folder)
    put_labels(folder, lambda n: n % 2 * 3 + n / 10)


def multi_label(folder: Path) -> None:
    """A task of sets of labels."""
    put_task("fields", PROBE.format("classification", "f1_macro", "multi_label = true\n"), folder)
    put_papers(folder)
    put_labels(folder, lambda n: f"[{n % 2}, {n // 2 % 2}]")


def ranking(folder: Path) -> None:
    """A task of queries that are papers."""
    body = 'title = "Cite"\nformat = "proximity"\nevaluation = "ranking"\nmetrics = ["map", "ndcg"]'
    put_task("cite", body + '\n[local]\ndocuments = "pairs.jsonl"\nlabels = "labels"\n', folder)
    rows = [
        {
            "doc_id": f"p{q}",
            "query": {"doc_id": f"p{q}", **paper(q)},
            "candidates": [{"doc_id": f"p{c}", **paper(c)} for c in range(10, 18)],
        }
        for q in range(4)
    ]
    put_lines(folder / "data" / "pairs.jsonl", rows)
    put_lines(
        folder / "data" / "labels" / "test_qrel.jsonl",
        [
            {"query_id": f"p{q}", "cand_id": f"p{c}", "score": int((c + q) % 3 == 0)}
            for q in range(4)
            for c in range(10, 18)
        ],
    )


def pools(folder: Path) -> None:
    """A task in MDCR's form, and a file of scores of it."""
    body = (
        'title = "Pools"\nformat = "proximity"\nevaluation = "citation_pools"\nmetrics = ["map", '
    )
    body += '"recall_5"]\n[local]\ndocuments = "mdcr.jsonl"\npools = "mdcr.json"\n'
    put_task("pools", body, folder)
    put_papers(folder, key="paper_id", name="mdcr.jsonl")
    fields = {
        field: {
            f"p{q}": {
                "true": [f"p{(q + k) % 32}" for k in (2, 4)],
                "bm25": [f"p{(q + k) % 32}" for k in (3, 5, 7)],
                "random": [f"p{(q + k) % 32}" for k in (9, 10)],
            }
            for q in (first, first + 1)
        }
        for first, field in ((0, "Art"), (2, "Biology"))
    }
    (folder / "data" / "mdcr.json").write_text(json.dumps(fields), encoding="utf-8")
    scores = {
        f"{query}_{name}": round(1 / (2 + (7 * int(name[1:])) % 11), 3)
        for queries in fields.values()
        for query, lists in queries.items()
        for names in lists.values()
        for name in names
    }
    (folder / "scores.json").write_text(json.dumps(scores), encoding="utf-8")


def reviewers(folder: Path) -> None:
    """A task of reviewers and papers."""
    body = 'title = "People"\nformat = "proximity"\nevaluation = "reviewer_matching"\n'
    body += 'metrics = ["P_5"]\n[local]\ndocuments = "papers.jsonl"\nlabels = "people"\n'
    put_task("people", body + 'reviewers = "people"\n', folder)
    put_papers(folder)
    people = [{"r_id": f"r{n}", "papers": [f"p{n + 8}", f"p{n + 12}"]} for n in range(8)]
    put_lines(folder / "data" / "people" / "reviewer_metadata.jsonl", people)
    for kind, every in (("hard", 3), ("soft", 2)):
        rows = [
            {"query_id": f"p{q}", "cand_id": f"r{n}", "score": int((q + n) % every == 0)}
            for q in range(3)
            for n in range(8)
        ]
        put_lines(folder / "data" / "people" / f"test_{kind}_qrel.jsonl", rows)


def authors(folder: Path) -> None:
    """A set in S2AND's layout, for its light form."""
    from tests.support.author_sets import write_author_set

    put_task("authors", 'title = "x"\nformat = "proximity"\nevaluation = "author_disambiguation"\n'
             'metrics = ["light_b3_f1"]\n[local]\nblocks = "s2and"\n', folder)  # fmt: skip
    write_author_set(folder / "data" / "s2and", "made", blocks=8)


def suite(folder: Path) -> None:
    """A folder of tasks with a suite file."""
    classification(folder)
    (folder / "tasks" / "suite.toml").write_text(
        'name = "own"\ntitle = "Own"\ntask_set = "own"\nversion = 1\nnotes = ""\n'
        'columns = [{ name = "Topics", tasks = ["topic"] }, { name = "All", pools = ["Topics"] }]\n'
        'unlisted = []\nrevisions = { "a/b" = "main" }\n'
        'readings = { few_shot = "mean_of_settings", author_disambiguation_constant = 96.5 }\n',
        encoding="utf-8",
    )


def official(folder: Path) -> None:
    """SciRepEval's own form of a list of tasks."""
    classification(folder)
    (folder / "tasks" / "topic.toml").unlink()
    line = {
        "name": "Topic",
        "type": "classification",
        "data": {"meta": "papers.jsonl", "test": "labels", "simple_format": True},
        "metrics": ["f1_macro"],
        "fields": ["title", "abstract"],
        "few_shot": [{"sample_size": 4, "iterations": 2}],
        "multi_label": False,
        "embeddings": {"save": "x"},
    }
    put_lines(folder / "tasks" / "tasks.jsonl", [line])


def lexical(kind: str, settings: str) -> Callable[[Path], None]:
    """A ranking and a model file of a lexical model."""

    def build(folder: Path) -> None:
        ranking(folder)
        (folder / "model.toml").write_text(
            f'name = "own"\ntitle = "Own"\nkind = "{kind}"\nnotes = ""\n'
            f"settings = {{ {settings} }}\n",
            encoding="utf-8",
        )

    return build


def policy(folder: Path) -> None:
    """A policy beside the results that it judges."""
    from scirepeval_harness.cli.main import main

    ranking(folder)
    (folder / "policy.toml").write_text(
        'alpha = 0.05\nfails_on = "drop"\nrequired = ["cite"]\n'
        "tolerance = { ranking = 0.1, probes = 0.2, few_shot = 0.7, averages = 0.1, "
        'tasks = { cite = 1.0, "cite:map" = 2.0 }, formats = { proximity = 0.5 } }\n'
        'hard_limit = { tasks = { "cite:ndcg" = 5.0 }, formats = { proximity = 6.0 } }\n'
        'floors = { tasks = { cite = 1.0, "cite:map" = 2.0 } }\n',
        encoding="utf-8",
    )
    os.chdir(folder)
    try:
        main([*TFIDF[:2], "kept", *TFIDF[3:]])
    except SystemExit as stop:
        if stop.code:
            raise


def vectors(suffix: str) -> Callable[[Path], None]:
    """A ranking and a file of vectors for it."""

    def build(folder: Path) -> None:
        import numpy as np
        import pandas as pd

        ranking(folder)
        names = [f"p{n}" for n in range(32)]
        values = np.random.default_rng(1).normal(size=(32, 4)).round(3)
        file = folder / f"vectors{suffix}"
        if suffix == ".jsonl":
            rows = zip(names, values.tolist(), strict=True)
            put_lines(file, [{"doc_id": name, "embedding": row} for name, row in rows])
        elif suffix == ".parquet":
            pd.DataFrame({"doc_id": names, "embedding": values.tolist()}).to_parquet(file)
        else:
            np.savez(file, ids=np.array(names), vectors=values.astype(np.float32))

    return build


def transformer(folder: Path) -> None:
    """A ranking, a tiny BERT as a folder, adapters for it and the model file that names them."""
    import torch
    from safetensors.torch import save_file

    from tests.support.tiny_models import save_adapter, save_base

    ranking(folder)
    base = save_base(folder / "model", texts=[" ".join(words) for words in WORDS])
    weights = torch.load(base / "pytorch_model.bin")
    save_file({key: value.clone() for key, value in weights.items()}, base / "model.safetensors",
              metadata={"format": "pt"})  # fmt: skip
    (base / "pytorch_model.bin").unlink()
    # One file of the vocabulary, so that what is damaged is what is read.
    (base / "vocab.txt").unlink()
    save_adapter(folder / "adapter", seed=1)
    (folder / "model.toml").write_text(
        'name = "own"\ntitle = "Own"\nkind = "transformer"\npooling = "mean"\nmax_length = 64\n'
        'base = { path = "model" }\nadapters = { proximity = { path = "adapter" } }\n',
        encoding="utf-8",
    )


def hub(folder: Path) -> None:
    """The same ranking as parquet, as the hub's cache keeps it."""
    import pandas as pd

    ranking(folder)
    body = (
        'title = "Cite"\nformat = "proximity"\nevaluation = "ranking"\nmetrics = ["map", "ndcg"]\n'
    )
    body += (
        '[hub.documents]\nrepo = "a/b"\nconfig = "meta"\nsplit = "evaluation"\nrevision = "main"\n'
    )
    body += '[hub.labels]\nrepo = "a/b"\nconfig = "labels"\nsplit = "test"\nrevision = "main"\n'
    put_task("cite", body, folder)
    for config, split, name in (
        ("meta", "evaluation", "pairs.jsonl"),
        ("labels", "test", "labels/test_qrel.jsonl"),
    ):
        lines = (folder / "data" / name).read_text().splitlines()
        path = folder / HUB / config / split / "0000.parquet"
        path.parent.mkdir(parents=True)
        pd.DataFrame([json.loads(line) for line in lines]).to_parquet(path)
    refs = folder / "hub" / "datasets--a--b" / "refs"
    refs.mkdir()
    (refs / "main").write_text("0" * 40)
    shutil.rmtree(folder / "data")


HUB = f"hub/datasets--a--b/snapshots/{'0' * 40}"
ON_HUB = ("run", "--output", "out", "--no-cache", "--offline", "--tasks-dir", "tasks", "--task")
ON_HUB += ("cite", "--model", "tfidf")
IDS = ("*doc_id: ", "*paper_id: ")
TEXTS = {
    "*query: *text": "a query may be a text of its own",
    "*query: other digits": "a query may be a text of its own",
    "1.query.doc_id: null": "the row's own id is the query's",
    "*title: text": OTHER_TEXT,
    "*title: huge": OTHER_TEXT,
    "*title: empty": "a paper with an abstract needs no title",
    "*title: missing": "a paper with an abstract needs no title",
    "*title: null": "a paper with an abstract needs no title",
    "*title: number*": NUMBER,
    "*title: negative": NUMBER,
    "*title: other digits": OTHER_TEXT,
    "*title: NUL": OTHER_TEXT,
    "*title: upwards": OTHER_TEXT,
    "*title: key *": "a key of another name is another field: the title is missing, see there",
    "*abstract: *": OPTIONAL,
    **TEXT_ANYWHERE,
}
NO_TEXT = tuple(
    f"*{field}: {damage}"
    for field in ("title", "abstract")
    for damage in ("list", "object", "boolean", "nan", "*infinity", "twice")
)
NO_ID = tuple(
    f"*_id: {damage}"
    for damage in ("null", "list", "object", "boolean", "nan", "*infinity", "empty", "twice")
)
NO_SCORE = tuple(
    f"*score: {damage}"
    for damage in (
        *("missing", "null", "list", "object", "boolean", "text", "number as text", "other digits"),
        *("empty", "nan", "*infinity", "twice", "key *"),
    )
)
NO_LABEL = ("*label: missing*", "*label: twice", "*label: empty", "*label: key *")
NO_CELL_ID = ("*_id: missing*", "*_id: empty", "*_id: twice")
TOPIC = ("topic",)
TASK_KEYS = tuple((key,) for key in ("name", "title", "format", "evaluation", "metrics"))

KINDS: tuple[Kind, ...] = (
    Kind("documents", "jsonl", "data/papers.jsonl", classification, TFIDF,
         [(3, "doc_id"), (3, "title"), (3, "abstract")], TEXTS, (*NO_TEXT, *NO_ID)),
    Kind("classes", "csv", "data/labels/train.csv", classification, TFIDF,
         [(2, "paper_id"), (2, "label")],
         {"*: row twice": TWICE, "2.label: 5,000 digits": OTHER_LABEL,
          "*label: *": OTHER_LABEL, **TEXT_ANYWHERE},
         (*NO_LABEL, *NO_CELL_ID, "*label: stray space", "*label: other case")),
    Kind("classes of test rows", "csv", "data/labels/test.csv", classification, TFIDF,
         [(2, "paper_id"), (2, "label")],
         {"*: row twice": TWICE, "2.label: 5,000 digits": OTHER_LABEL,
          "*label: *": OTHER_LABEL, **TEXT_ANYWHERE},
         (*NO_LABEL, *NO_CELL_ID, "*label: stray space", "*label: other case")),
    Kind("numbers", "csv", "data/labels/train.csv", regression, TFIDF,
         [(2, "paper_id"), (2, "label")],
         {"*: row twice": TWICE, "*label: negative": OTHER_NUMBER, **TEXT_ANYWHERE},
         (*NO_LABEL, *NO_CELL_ID, "*label: null", "*label: list", "*label: object",
          "*label: boolean", "*label: text", "*label: number as text", "*label: other digits",
          "*label: huge", "*label: nan", "*label: infinity", "*label: NUL")),
    Kind("sets of labels", "csv", "data/labels/train.csv", multi_label, TFIDF,
         [(2, "paper_id"), (2, "label")], {"*: row twice": TWICE, **TEXT_ANYWHERE},
         (*NO_LABEL, *NO_CELL_ID, "*label: null", "*label: list", "*label: object",
          "*label: boolean", "*label: text", "*label: n*", "*label: other digits")),
    Kind("pairs", "jsonl", "data/pairs.jsonl", ranking, TFIDF,
         [(1, "doc_id"), (1, "query"), (1, "query", "title"), (1, "query", "doc_id"),
          (1, "candidates"), (0, "candidates", 1, "doc_id"), (0, "candidates", 1, "title")],
         TEXTS, (*NO_TEXT, *NO_ID, "*candidates: null", "*candidates: object")),
    Kind("qrels", "jsonl", "data/labels/test_qrel.jsonl", ranking, TFIDF,
         [(2, "query_id"), (2, "cand_id"), (2, "score"), (2,)],
         {"2: missing": LESS, "*score: n*": OTHER_NUMBER, **TEXT_ANYWHERE}, (*NO_ID, *NO_SCORE)),
    Kind("pools", "json", "data/mdcr.json", pools, TFIDF,
         [("Art",), ("Art", "p0"), ("Art", "p0", "true"), ("Art", "p0", "true", 0),
          ("Art", "p0", "bm25"), ("Art", "p0", "bm25", 1)],
         {"Art: key *": "a field of another name", "Art: missing": LESS, "Art.p0: missing": LESS,
          "Art.p0.*.?: missing": LESS,
          "Art.p0.true: empty": "a query without a relevant candidate counts 0",
          **TEXT_ANYWHERE}, ("*p0: twice", "Art: twice", "*true: twice", "*bm25: twice")),
    Kind("documents of pools", "jsonl", "data/mdcr.jsonl", pools, TFIDF,
         [(2, "paper_id"), (2, "title"), (2, "abstract")], TEXTS, (*NO_TEXT, *NO_ID)),
    Kind("scores of pairs", "json", "scores.json", pools,
         ("mdcr", "score", "scores.json", "--task", "pools", "--data", "data", "--tasks-dir",
          "tasks", "--json"), [("p0_p2",)],
         {"p0_p2: n*": OTHER_NUMBER, "p0_p2: h*": OTHER_NUMBER, **TEXT_ANYWHERE},
         ("*: null", "*: list", "*: object", "*: boolean", "*: text", "*: number as text",
          "*: nan", "*: *infinity", "*: twice", "*: missing", "*: empty")),
    Kind("reviewers", "jsonl", "data/people/reviewer_metadata.jsonl", reviewers, TFIDF,
         [(1, "r_id"), (1, "papers"), (1, "papers", 0), (1,)],
         {"1.papers.0: missing": LESS, "1: missing": LESS, **TEXT_ANYWHERE},
         (*NO_ID, "*papers: null", "*papers: object", "*papers: boolean", "*papers: empty")),
    Kind("hard labels", "jsonl", "data/people/test_hard_qrel.jsonl", reviewers, TFIDF,
         [(1, "query_id"), (1, "cand_id"), (1, "score"), (1,)],
         {"1: missing": LESS, "*score: n*": OTHER_NUMBER, **TEXT_ANYWHERE}, (*NO_ID, *NO_SCORE)),
    Kind("soft labels", "jsonl", "data/people/test_soft_qrel.jsonl", reviewers, TFIDF,
         [(1, "query_id"), (1, "cand_id"), (1, "score"), (1,)],
         {"1: missing": LESS, "*score: n*": OTHER_NUMBER, **TEXT_ANYWHERE}, (*NO_ID, *NO_SCORE)),
    *(
        Kind(f"author {part}", "json", f"data/s2and/made/made_{part}.json", authors, TFIDF, places,
             {**TEXTS, **more}, refused)
        for part, places, more, refused in (
            ("papers", [("1",), ("1", "paper_id"), ("1", "title"), ("1", "abstract"),
                        ("1", "authors")], {}, NO_TEXT),
            ("signatures", [("0",), ("0", "signature_id"), ("0", "paper_id"), ("0", "author_info"),
                            ("0", "author_info", "given_block"), ("0", "author_info", "block")],
             {"0.author_info.given_block: null": "the other name of the block stands in",
              "0.author_info.given_block: other case": BLOCK, "*given_block: *text": BLOCK},
             ("0: twice", "*given_block: list")),
            ("clusters", [("taao_0",), ("taao_0", "cluster_id"), ("taao_0", "signature_ids"),
                          ("taao_0", "signature_ids", 0)], {},
             ("taao_0: twice", "*signature_ids: twice", "*signature_ids.0: null")),
        )
    ),
    Kind("task file", "toml", "tasks/topic.toml", classification, TFIDF,
         [*TASK_KEYS, ("local",), ("local", "documents"), ("local", "labels")],
         {"title: number as text": "a title moves no score",
          "name: number as text": "a task of another name", 
          "name: *": "a task of another name", "title: *": "a title moves no score",
          "metrics*": "another metric that exists"},
         ("*: twice", "*: list", "*: object", "*: boolean", "*: n*", "*: key *")),
    Kind("suite file", "toml", "tasks/suite.toml", suite, (*TFIDF, "--suite", "own"),
         [("name",), ("title",), ("task_set",), ("version",), ("columns",), ("columns", 0, "name"),
          ("columns", 0, "tasks"), ("columns", 1, "pools"), ("unlisted",), ("revisions",),
          ("readings",), ("readings", "few_shot"),
          ("readings", "author_disambiguation_constant")],
         {"title: number as text": "a title moves no score",
          "task_set: number as text": "a set of another name",
          "readings.author_disambiguation_constant: number": OTHER_NUMBER},
         ("*: twice", "*: object", "*: boolean", "*: n*", "*: key *", "*infinity",
          "*constant: text", "*constant: huge")),
    Kind("list of tasks", "jsonl", "tasks/tasks.jsonl", official, TFIDF,
         [(0, "name"), (0, "type"), (0, "data"), (0, "data", "meta"), (0, "data", "test"),
          (0, "metrics"), (0, "metrics", 0), (0, "fields"), (0, "fields", 1), (0, "few_shot"),
          (0, "few_shot", 0, "sample_size"), (0, "few_shot", 0, "iterations"),
          (0, "multi_label")],
         {"*name: *": "a task of another name", "*fields*": "other fields that are there",
          "*few_shot: *": "a task without few-shot settings", "*size: number": OTHER_NUMBER,
          **TEXT_ANYWHERE},
         ("*: twice", "*: object", "*: nan", "*infinity")),
    Kind("model file of BM25", "toml", "model.toml",
         lexical("bm25", 'method = "lucene", k1 = 1.5, b = 0.75, stemmer = "english"'),
         (*RUN, "--model", "model.toml"),
         [("name",), ("title",), ("kind",), ("settings",), ("settings", "method"),
          ("settings", "k1"), ("settings", "b"), ("settings", "stemmer")],
         {"name: *": "a model of another name", "settings.k1: number": OTHER_NUMBER,
          "settings.k1: huge": OTHER_NUMBER,
          "settings: missing": "the defaults hold",
          "settings: empty": "the defaults hold", "settings.*: missing": "the default holds"},
         ("*: twice", "*: list", "*: object", "*: boolean", "*: nan", "*infinity",
          "*k1: negative", "*b: negative", "*b: number", "*: key *")),
    Kind("model file of TF-IDF", "toml", "model.toml",
         lexical("tfidf", 'sublinear_tf = true, max_features = 64, stop_words = "english", '
                 'norm = "l2"'),
         (*RUN, "--model", "model.toml"),
         [("settings", "sublinear_tf"), ("settings", "max_features"), ("settings", "stop_words"),
          ("settings", "norm")],
         {"settings.*: missing": "the default holds"},
         ("*: twice", "*: list", "*: object", "*features: boolean", "*: nan", "*infinity",
          "*: negative", "*: key *")),
    *(
        Kind(f"vectors {suffix}", suffix[1:], f"vectors{suffix}", vectors(suffix),
             (*RUN, "--model", f"vectors{suffix}"), places,
             {"*embedding: shorter": "see refused", **more, **TEXT_ANYWHERE}, refused)
        for suffix, places, more, refused in (
            (".jsonl", [(2, "doc_id"), (2, "embedding"), (2, "embedding", 1)],
             {"*.1: n*": OTHER_NUMBER, "*.1: other digits": ""},
             (*NO_ID, "*.1: null", "*.1: list", "*.1: object", "*.1: boolean", "*.1: text",
              "*.1: number as text", "*.1: other digits", "*.1: empty", "*.1: nan",
              "*.1: *infinity", "*.1: huge", "*embedding: null", "*embedding: object",
              "*embedding: list", "*embedding: empty", "*embedding: boolean")),
            (".parquet", [("doc_id",), ("embedding",)], {},
             ("*: null", "*: all null", "*: object", "*: boolean", "*: nan", "*: infinity",
              "embedding: * inside", "*: twice", "embedding: list")),
            (".npz", [("ids",), ("vectors",)],
             {"vectors: number": "refused or said: all vectors are one"},
             ("*: missing", "vectors: text", "*: objects", "*: complex", "*: times",
              "vectors: nan", "vectors: infinity", "vectors: boolean", "ids: boolean")),
        )
    ),
    Kind("config of a model", "json", "model/config.json", transformer,
         (*RUN, "--model", "model.toml"),
         [("model_type",), ("architectures",), ("hidden_size",), ("num_hidden_layers",),
          ("num_attention_heads",), ("vocab_size",), ("max_position_embeddings",),
          ("layer_norm_eps",), ("hidden_act",), ("intermediate_size",)],
         {**DEFAULTS, **TEXT_ANYWHERE}),
    Kind("tokenizer of a model", "json", "model/tokenizer.json", transformer,
         (*RUN, "--model", "model.toml"),
         [("model",), ("model", "vocab"), ("model", "vocab", "graph"), ("model", "unk_token"),
          ("normalizer",), ("pre_tokenizer",), ("post_processor",), ("added_tokens",),
          ("version",)],
         {**TOKENIZER, **TEXT_ANYWHERE}),
    Kind("settings of a tokenizer", "json", "model/tokenizer_config.json", transformer,
         (*RUN, "--model", "model.toml"), [("tokenizer_class",), ("model_max_length",),
                                           ("do_lower_case",), ("unk_token",)],
         {"file: no file": "it is optional beside tokenizer.json", **DEFAULTS, **TEXT_ANYWHERE}),
    Kind("weights of a model", "safetensors", "model/model.safetensors", transformer,
         (*RUN, "--model", "model.toml"),
         [("embeddings.word_embeddings.weight",), ("encoder.layer.0.output.dense.bias",)],
         {"file: bit flip *": "weights hold no digest of their own: another bit is another model"}),
    Kind("file of a transformer", "toml", "model.toml", transformer,
         (*RUN, "--model", "model.toml"),
         [("name",), ("kind",), ("pooling",), ("max_length",), ("base",), ("base", "path"),
          ("adapters",), ("adapters", "proximity"), ("adapters", "proximity", "path")],
         {"name: *": "a model of another name", "adapters: missing": "a model without adapters",
          "adapters.proximity: missing": "a model without adapters",
          "pooling: missing": "the default holds", "max_length: missing": "the default holds"},
         ("*: twice", "*: list", "*: object", "*: boolean", "*: nan", "*infinity", "*: key *")),
    Kind("config of an adapter", "json", "adapter/adapter_config.json", transformer,
         (*RUN, "--model", "model.toml"),
         [("config",), ("config", "reduction_factor"), ("config", "non_linearity"),
          ("config", "original_ln_before"), ("config", "residual_before_ln"),
          ("config", "output_adapter"), ("hidden_size",), ("model_type",), ("name",)],
         {**DEFAULTS, **TEXT_ANYWHERE}),
    Kind("weights of an adapter", "bin", "adapter/pytorch_adapter.bin", transformer,
         (*RUN, "--model", "model.toml"), [],
         {"file: bit flip *": "weights hold no digest of their own: another bit is another model"}),
    Kind("documents of the hub", "parquet", f"{HUB}/meta/evaluation/0000.parquet", hub, ON_HUB,
         [("doc_id",), ("query",), ("candidates",)],
         {"query: text": TEXTS["*query: *text"], "file: bit flip *": NO_DIGEST},
         ("*: null", "*: all null", "*: boolean", "*: nan", "*: twice", "*: bytes")),
    Kind("labels of the hub", "parquet", f"{HUB}/labels/test/0000.parquet", hub, ON_HUB,
         [("query_id",), ("cand_id",), ("score",)],
         {"score: number": OTHER_NUMBER, "cand_id: shorter": "the id of another candidate",
          "file: bit flip *": NO_DIGEST},
         ("*: null", "*: all null", "*: boolean", "*: nan", "*: twice", "*: bytes")),
    Kind("policy", "toml", "policy.toml", policy,
         ("check", "--baseline", "kept/tfidf", "--candidate", "kept/tfidf", "--policy",
          "policy.toml", "--tasks-dir", "tasks"),
         [("alpha",), ("fails_on",), ("required",), ("tolerance", "ranking"),
          ("tolerance", "probes"), ("tolerance", "few_shot"), ("tolerance", "averages"),
          ("tolerance", "tasks"), ("tolerance", "tasks", "cite"),
          ("tolerance", "tasks", "cite:map"), ("tolerance", "formats", "proximity"),
          ("hard_limit",), ("hard_limit", "tasks", "cite:ndcg"),
          ("hard_limit", "formats", "proximity"), ("floors", "tasks", "cite"),
          ("floors", "tasks", "cite:map")],
         {"*: missing": "a rule that is not there", "*: number": OTHER_NUMBER,
          "alpha: negative": ""},
         ("*: twice", "*: null", "*: list", "*: object", "*: boolean", "*: nan", "*infinity",
          "*: huge", "*: negative", "*: key *", "*: text", "*: number as text")),
    Kind("options of a run", "words", "", classification, TFIDF,
         options=("--seed", "--limit", "--workers", "--batch-tokens", "--probe", "--width",
                  "--engine", "--format", "--task", "--suite", "--model", "--tasks-dir", "--data",
                  "--output", "--cache", "--device", "--dtype", "--max-length", "--pooling"),
         accepted={
             "--limit: stray space": "7 is 7", "--seed: stray space": "7 is 7",
             "--seed: zero": "0 is a seed",
             "--output: *": "a folder of any name", "--cache: *": "a folder of any name",
             "--cache: 5,000 digits": "--no-cache beside it: the folder is not used",
             "--device: 5,000 digits": "a lexical model has no device",
             "--dtype: 5,000 digits": "a lexical model has no precision"}),
    Kind("options of an encoder", "words", "", transformer, (*RUN, "--model", "model"),
         options=("--batch-tokens", "--max-length", "--dtype", "--device", "--pooling"),
         accepted={"--max-length: stray space": "7 is 7"}),
    Kind("options of check", "words", "", policy,
         ("check", "--baseline", "kept/tfidf", "--candidate", "kept/tfidf", "--tasks-dir",
          "tasks"),
         options=("--seed", "--suite", "--few-shot", "--s2and", "--reviewers", "--tasks-dir",
                  "--policy", "--baseline", "--candidate")),
)  # fmt: skip
