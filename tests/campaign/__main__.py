"""``python -m tests.campaign``: every kind of input file, every damage, a line of figures."""

from __future__ import annotations

import argparse
import os
import re
import sys
import traceback
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.campaign.judge import Kind


def work(kinds: Sequence[Kind], given: argparse.Namespace, file: Path) -> None:
    """Judge the cases of some kinds; a verdict a line goes to the file."""
    from tests.campaign.judge import BAD, cases_of, judge

    with TemporaryDirectory() as folder, file.open("w", encoding="utf-8") as out:
        cases = [
            case for kind in kinds for case in cases_of(kind) if re.search(given.only, case.name)
        ]
        for one in judge(cases, Path(folder)):
            out.write(f"{one.verdict}\n")
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
    parser.add_argument("--jobs", type=int, default=2, help="processes")
    given = parser.parse_args()
    load_libraries()
    with TemporaryDirectory() as folder:
        files = [Path(folder, str(number)) for number in range(given.jobs)]
        workers = []
        for number, file in enumerate(files):
            worker = os.fork()
            if worker == 0:
                try:
                    work(KINDS[number :: given.jobs], given, file)
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
