"""Each damaged input through the front door, in a process of its own, and what came of it."""

from __future__ import annotations

import json
import os
import resource
import shutil
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

from tests.campaign.damage import BAD_VALUES, damages

Verdict = Literal[
    "harmless", "accepted", "refused", "said", "silent", "traceback", "hang", "bare error"
]
BAD: tuple[Verdict, ...] = ("silent", "traceback", "hang", "bare error")
LONGEST = 20.0
"""Seconds after which a run hangs."""
MEMORY = 16 << 30
"""Bytes that a run may ask for: a damaged number must not bring the machine down."""
REFUSED_ALWAYS = (
    "*: deep nesting",
    "*: 5,000 digits",
    "file: no file",
    "file: directory",
    "file: named pipe",
    "file: device",
    "file: unreadable",
    "file: empty file",
    "file: UTF-16*",
    "file: random bytes",
    "file: 10 MB of brackets",
)
"""What no reader may take, even where the scores stay as they are."""
TEXT_ANYWHERE = {
    "file: bit flip *": "a flipped bit of a text may give another text, which no reader can tell",
    "file: cut *": "a text that ends within a row's last value or between two rows is still a text",
}


@dataclass(frozen=True)
class Kind:
    """A kind of input file.

    ``build`` writes sound inputs into an empty folder, and ``words`` are the command that reads
    them there. ``file`` is damaged, as a whole and at each of ``places``. ``accepted`` says which
    damages (``place: damage``, with wildcards) may change the outcome without a word, and why;
    ``refused`` which must be refused even where no score changes.
    """

    name: str
    form: str
    file: str
    build: Callable[[Path], object]
    words: Sequence[str]
    places: Sequence[tuple[str | int, ...]] = ()
    accepted: Mapping[str, str] = field(default_factory=dict)
    refused: Sequence[str] = ()
    options: Sequence[str] = ()
    """Options of the command that are given bad values, where there is no file to damage."""


@dataclass(frozen=True)
class Case:
    """One damage of one kind of file; as a command line's value where ``words`` are given."""

    kind: Kind
    damage: str
    apply: Callable[[Path], object] | None = None
    words: Sequence[str] = ()

    @property
    def name(self) -> str:
        return f"{self.kind.name} / {self.damage}"


@dataclass
class Outcome:
    """What a run left behind; ``errors`` are [message, place, advice] of the harness's own."""

    code: int | None = None
    out: str = ""
    err: str = ""
    scores: dict[str, float] = field(default_factory=dict)
    said: list[str] = field(default_factory=list)
    errors: list[list[str | None]] = field(default_factory=list)
    seconds: float = 0.0


@dataclass(frozen=True)
class Judged:
    """A case with its verdict and a line that shows why."""

    name: str
    verdict: Verdict
    line: str


def cases_of(kind: Kind) -> list[Case]:
    """Every case of a kind of file, or of the options of a command."""
    if kind.options:
        return [
            Case(kind, f"{option}: {name}", words=(*kind.words, option, value))
            for option in kind.options
            for name, value in BAD_VALUES.items()
        ]
    return [Case(kind, name, apply) for name, apply in damages(kind.form, kind.places)]


def judge(cases: Iterable[Case], root: Path) -> Iterator[Judged]:
    """Run each case beside the sound run of its kind and say what came of it.

    Raises:
        RuntimeError: a kind whose sound inputs do not run.
    """
    sound: dict[str, Outcome] = {}
    for case in cases:
        kind = case.kind
        template = root / kind.name.replace(" ", "-")
        if kind.name not in sound:
            built = in_child(lambda kind=kind, template=template: _build(kind, template), 120)
            if built.code != 0:
                raise RuntimeError(f"{kind.name}: cannot be built\n{built.err}")
            sound[kind.name] = _run(kind, template, None, kind.words, 120)
            if sound[kind.name].code != 0:
                raise RuntimeError(f"{kind.name}: sound inputs fail\n{sound[kind.name].err}")
        outcome = _run(kind, template, case.apply, case.words or kind.words, LONGEST)
        verdict = verdict_of(case, sound[kind.name], outcome)
        lines = [line for line in outcome.err.splitlines() if line.strip()] or [""]
        shown = next((line for line in lines if "FAILED" in line), lines[-1])
        moved = "" if outcome.scores == sound[kind.name].scores else " (other scores)"
        yield Judged(
            case.name, verdict, f"exit {outcome.code}{moved}: {' '.join(shown.split())[:220]}"
        )


def verdict_of(case: Case, sound: Outcome, got: Outcome) -> Verdict:
    """What came of a case, against the sound run."""
    if got.code is None:
        return "hang"
    if "Traceback" in got.err or got.code not in (0, 2, 3, 4):
        return "traceback"
    if got.code == 0:
        must = any(fnmatchcase(case.damage, p) for p in (*REFUSED_ALWAYS, *case.kind.refused))
        same = got.scores == sound.scores and (bool(got.scores) or got.out == sound.out)
        if same and not must:
            return "harmless"
        # A reason for one damage goes before a rule; one for several does not.
        if case.damage in case.kind.accepted:
            return "accepted"
        if not must and any(fnmatchcase(case.damage, pattern) for pattern in case.kind.accepted):
            return "accepted"
        return "said" if not must and set(got.said) - set(sound.said) else "silent"
    # Of the parser of the command line, which names the option and the values that it takes.
    if "Usage:" in got.err and "Error" in got.err:
        return "refused"
    text = _plain(got.err)
    for message, place, advice in got.errors:
        # A name or an option of the command line is its own place.
        named = (advice or "").startswith(("Did you mean", "Known are")) or "--" in (message or "")
        if message and _plain(message) in text and (place or named) and advice:
            return "refused"
    return "bare error"


def modules_of(kind: Kind, root: Path) -> list[str]:
    """The modules that a sound run of a kind has loaded at its end."""
    folder = root / kind.name.replace(" ", "-")

    def work() -> None:
        _build(kind, folder)
        os.chdir(folder)
        from scirepeval_harness.cli.main import main

        try:
            main(list(kind.words))
        except SystemExit:
            (root / "modules").write_text("\n".join(sys.modules), encoding="utf-8")

    in_child(work, 300)
    return (root / "modules").read_text(encoding="utf-8").splitlines()


def _plain(text: str) -> str:
    """Without what a terminal does not show, in one line."""
    return " ".join(
        "".join(letter for letter in text if letter.isprintable() or letter.isspace()).split()
    )


def _build(kind: Kind, template: Path) -> None:
    template.mkdir(parents=True)
    kind.build(template)


def _run(
    kind: Kind,
    template: Path,
    damage: Callable[[Path], object] | None,
    words: Sequence[str],
    longest: float,
) -> Outcome:
    with TemporaryDirectory(dir=template.parent) as name:
        # Two levels down: what a case writes upwards (``--output ../../x``) is still its own.
        folder = Path(name) / "own" / "inputs"
        shutil.copytree(template, folder, symlinks=True)

        def work() -> None:
            os.chdir(folder)
            _in_folder(folder)
            if damage is not None:
                damage(Path(kind.file))
            from scirepeval_harness.cli.main import main

            main(list(words))

        outcome = in_child(work, longest)
        outcome.scores, outcome.said = _scores(folder / "out")
        if not outcome.scores:
            outcome.scores = _printed(outcome.out)
        return outcome


def _in_folder(folder: Path) -> None:
    """Put this process's caches into the case's folder, be their libraries loaded or not."""
    os.environ["SCIREPEVAL_HARNESS_CACHE"] = str(folder / "cache")
    os.environ["HF_HUB_CACHE"] = hub = str(folder / "hub")
    os.environ["HF_DATASETS_CACHE"] = datasets = str(folder / "datasets")
    if constants := sys.modules.get("huggingface_hub.constants"):
        constants.HF_HUB_CACHE = hub  # type: ignore[attr-defined]
    if config := sys.modules.get("datasets.config"):
        config.HF_DATASETS_CACHE = Path(datasets)  # type: ignore[attr-defined]


def _scores(out: Path) -> tuple[dict[str, float], list[str]]:
    """The scores of finished tasks, and what their files warn of."""
    scores: dict[str, float] = {}
    said: list[str] = []
    for path in sorted(out.glob("*/*/*.json")):
        record = json.loads(path.read_text(encoding="utf-8"))
        said += map(str, record.get("warnings", ()))
        for score in record.get("scores", ()) if record.get("status") == "ok" else ():
            scores[f"{path.relative_to(out)}: {score['key']}"] = score["value"]
    return scores, said


def _printed(out: str) -> dict[str, float]:
    """The numbers of a command that writes no result folder and prints JSON."""
    try:
        found = json.loads(out)
    except ValueError:
        return {}
    return {"printed " + json.dumps(found, sort_keys=True): 0.0} if found else {}


def in_child(work: Callable[[], object], longest: float) -> Outcome:
    """What ``work`` leaves in a forked process, which is killed after ``longest`` seconds."""
    with TemporaryDirectory() as folder:
        files = [Path(folder, name) for name in ("out", "err", "errors")]
        start = time.monotonic()
        child = os.fork()
        if child == 0:
            _in_this_process(work, files)
        code = _wait(child, start + longest)
        out, err, errors = (
            path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""
            for path in files
        )
        logged = [json.loads(line) for line in errors.splitlines()]
        return Outcome(code, out, err, errors=logged, seconds=time.monotonic() - start)


def _wait(child: int, until: float) -> int | None:
    while True:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status)
        if time.monotonic() > until:
            os.killpg(child, signal.SIGKILL)
            os.waitpid(child, 0)
            return None
        time.sleep(0.005)


def _in_this_process(work: Callable[[], object], files: Sequence[Path]) -> None:
    """Run in the child: its words go to files, and it never returns."""
    from scirepeval_harness.errors import HarnessError

    code = 70
    try:
        os.setsid()
        # Nothing a run does may ask the terminal.
        sys.stdin = open(os.devnull)  # noqa: SIM115
        for number, path in enumerate(files[:2], start=1):
            os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT), number)
        sys.stdout = open(1, "w", encoding="utf-8", errors="replace", closefd=False)  # noqa: SIM115
        sys.stderr = open(2, "w", encoding="utf-8", errors="replace", closefd=False)  # noqa: SIM115
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
        log = files[2].open("a", encoding="utf-8")
        made = HarnessError.__init__

        def note(self: HarnessError, what: str, **parts: Any) -> None:
            made(self, what, **parts)
            log.write(json.dumps([str(self), self.where, self.fix]) + "\n")
            log.flush()

        HarnessError.__init__ = note  # type: ignore[method-assign]
        work()
        code = 0
    except SystemExit as stop:
        code = stop.code if isinstance(stop.code, int) else int(stop.code is not None)
    except BaseException:  # noqa: BLE001 - the campaign is what reports it
        traceback.print_exc()
        code = 70
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def figures(counts: Mapping[str, int]) -> str:
    """``1,331 inputs: 0 silent, 0 tracebacks, 0 hangs, 3 without place or advice``."""
    names = {"silent": "silent", "traceback": "tracebacks", "hang": "hangs"}
    parts = [f"{counts.get(verdict, 0)} {word}" for verdict, word in names.items()]
    bare = f"{counts.get('bare error', 0)} without place or advice"
    return f"{sum(counts.values()):,} inputs: {', '.join([*parts, bare])}"
