"""Small made data sets in S2AND's own layout: papers, signatures and clusters."""

from __future__ import annotations

import json
import random
from pathlib import Path

TOPICS = (
    "graph citation network ranking search",
    "protein enzyme cell membrane receptor",
    "galaxy dust redshift survey spectrum",
    "polymer film alloy lattice stress",
)


def write_author_set(folder: Path, name: str, *, blocks: int = 24, seed: int = 0) -> None:
    """One data set: in each block of equal names, two to four people with a topic each."""
    dice = random.Random(f"{name}{seed}")
    papers, signatures, clusters = {}, {}, {}
    for block in range(blocks):
        last = f"{dice.choice('bcdfgklmnprst')}a{chr(97 + block)}o"
        for person in range(dice.randint(2, 4)):
            own = []
            coauthor = f"Kim {chr(65 + block)}ox{person}"
            for _ in range(dice.randint(3, 6)):
                key = str(len(papers) + 1)
                words = dice.choices(TOPICS[(person + block) % len(TOPICS)].split(), k=5)
                papers[key] = {
                    "paper_id": int(key),
                    "title": " ".join(words),
                    "abstract": None,
                    "venue": f"Journal {person}",
                    "journal_name": None,
                    "year": 1990 + person * 5 + dice.randint(0, 3),
                    "references": None,
                    "authors": [
                        {"position": 0, "author_name": f"Ann {last}"},
                        {"position": 1, "author_name": coauthor},
                    ],
                }
                signature = str(len(signatures))
                signatures[signature] = {
                    "signature_id": signature,
                    "paper_id": int(key),
                    "author_info": {
                        "position": 0,
                        "block": f"a {last}",
                        "given_block": f"a {last}",
                        "first": "Ann",
                        "middle": None,
                        "last": last,
                        "suffix": None,
                        "email": None,
                        "affiliations": [],
                    },
                }
                own.append(signature)
            cluster = f"{last}_{person}"
            clusters[cluster] = {"cluster_id": cluster, "signature_ids": own, "model_version": -1}
    (folder / name).mkdir(parents=True, exist_ok=True)
    for part, value in (("papers", papers), ("signatures", signatures), ("clusters", clusters)):
        (folder / name / f"{name}_{part}.json").write_text(json.dumps(value))
