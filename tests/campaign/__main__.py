"""``python -m tests.campaign``: every kind of input file, every damage, a line of figures."""

from __future__ import annotations

import argparse
import os
import random
import re
import sys
import traceback
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.campaign.judge import Case, Kind


def chosen_cases(kinds: Sequence[Kind], given: argparse.Namespace) -> list[Case]:
    """The cases asked for: all, those of a name, or so many drawn from them with the seed."""
    from tests.campaign.judge import cases_of

    cases = [case for kind in kinds for case in cases_of(kind) if re.search(given.only, case.name)]
    if given.count is None or given.count >= len(cases):
        return cases
    drawn = random.Random(given.seed).sample(range(len(cases)), given.count)
    return [cases[number] for number in sorted(drawn)]


def work(cases: Sequence[Case], given: argparse.Namespace, file: Path) -> None:
    """Judge some cases; a verdict a line goes to the file."""
    from tests.campaign.judge import BAD, judge

    with TemporaryDirectory() as folder, file.open("w", encoding="utf-8") as out:
        for one in judge(cases, Path(folder)):
            out.write(f"{one.verdict}\n")
            out.flush()
            if given.all or (given.show and one.verdict in BAD):
                print(f"{one.verdict:11}{one.name}: {one.line}", flush=True)


def main() -> int:
    """Run all cases, or those whose names contain a word; 1 where any of them is bad."""
    # Before any library counts the processors: forked children with threads of their own stall.
    os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1", TOKENIZERS_PARALLELISM="false")
    from tests.campaign.inputs import KINDS, load_libraries
    from tests.campaign.judge import BAD, figures

    parser = argparse.ArgumentParser(prog="python -m tests.campaign", description=__doc__)
    parser.add_argument("--only", default="", help="cases whose name matches this expression")
    parser.add_argument("--show", action="store_true", help="every bad case on a line")
    parser.add_argument("--all", action="store_true", help="every case on a line")
    parser.add_argument("--count", type=int, help="draw so many of the cases")
    parser.add_argument("--seed", type=int, default=1, help="of the draw")
    parser.add_argument("--jobs", type=int, default=2, help="processes")
    given = parser.parse_args()
    load_libraries()
    cases = chosen_cases(KINDS, given)
    # Each process takes a whole stretch: the sound run of a kind is made in each that needs it.
    share = -(-len(cases) // given.jobs)
    with TemporaryDirectory() as folder:
        files = [Path(folder, str(number)) for number in range(given.jobs)]
        workers = []
        for number, file in enumerate(files):
            worker = os.fork()
            if worker == 0:
                try:
                    work(cases[number * share : (number + 1) * share], given, file)
                except BaseException:  # noqa: BLE001 - shown, and missing from the figures
                    traceback.print_exc()
                    os._exit(1)
                os._exit(0)
            workers.append(worker)
        failed = [os.waitpid(worker, 0)[1] for worker in workers]
        counts = Counter(line for file in files for line in file.read_text().splitlines())
    print(figures(counts), dict(sorted(counts.items())))
    return int(any(failed) or any(counts.get(verdict) for verdict in BAD))


if __name__ == "__main__":
    sys.exit(main())
