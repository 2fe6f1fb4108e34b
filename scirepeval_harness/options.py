"""What a user may choose for a run, each declared once: its name, type, default, help, and whether
it moves a score. Plain, so that the command line starts without numpy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints

from scirepeval_harness.errors import UsageError

LAST_SEED = 2**31 - 1
"""Few-shot draws count on from the seed, and a generator's seed has 32 bits."""
Probe = Literal["exact", "sklearn", "reference", "fast"]
"""Who fits the probes: ``exact`` repeats scikit-learn's steps in machine code; ``sklearn``, which
was called ``reference``, is scikit-learn itself; ``fast`` solves the same problems in torch."""
Engine = Literal["local", "ray"]
"""Where a run encodes and fits probes: in this process or on a Ray cluster."""
VectorPrecision = Literal["float32", "float16"]
"""The precision in which vectors reach the scores."""
Quantize = Literal["int8", "binary"]
"""How a vector index would keep the vectors, with a scale from the task's own documents."""
Existing = Literal["refuse", "resume", "overwrite"]
"""What a run does with result files that are already there."""
MovesScore = Literal["every", "probes", "coverage"]
"""Which scores of one and the same model an option moves: every task's, those of probes, or those
of tasks whose data is incomplete, which their coverage tells."""


@dataclass(frozen=True, slots=True)
class Option:
    """What is declared of an option beside its field's name, type and default.

    ``key`` is its name in records; ``least`` and ``most`` bound its numbers. What is not
    ``recorded`` stands neither in a run's record nor in the command that repeats it; what is
    recorded ``when_given`` stands in no record of a run without it, which stays as it was before.
    Values that are ``alike`` give the same scores.
    """

    help: str
    flag: str = ""
    key: str = ""
    moves_score: MovesScore | None = None
    recorded: bool = True
    when_given: bool = False
    least: int | None = None
    most: int | None = None
    default: Any = None
    choices: tuple[str, ...] = ()
    alike: tuple[str, ...] = ()


# fmt: off
Words = tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Choices:
    """What a run is about: models, and tasks by name, as they were asked for."""

    models: Annotated[Words, Option(
        "A registered name (`models list`), NAME@REVISION, a model file (.toml), a local "
        "folder, a hub id, a file of vectors, or TITLE=ANY-OF-THESE. May be repeated.", "--model"
    )] = ()
    suites: Annotated[Words, Option(
        "scirepeval, mdcr, sample or your own. May be repeated.", "--suite"
    )] = ()
    tasks: Annotated[Words, Option("Only this task. May be repeated.", "--task")] = ()
    formats: Annotated[Words, Option(
        "classification, regression, proximity or adhoc_search: these tasks only. May be repeated.",
        "--format",
    )] = ()
    tasks_dirs: Annotated[Words, Option(
        "A folder of your own task files. May be repeated.", "--tasks-dir"
    )] = ()
    pooling: Annotated[str | None, Option(
        "cls, second, mean, last, max or weighted_mean, for models not registered. Default: the "
        "folder's own, else cls."
    )] = None
    max_length: Annotated[int | None, Option(
        "Tokens a text, for models not registered.", least=2
    )] = None
    prompts: Annotated[Words, Option(
        'Words around a text, as query="query: {text}": of a role, of candidate or of document. '
        "May be repeated.", "--prompt"
    )] = ()
    normalize: Annotated[bool | None, Option("Scale vectors to length 1.")] = None
    truncate_dim: Annotated[int | None, Option(
        "Keep so many first dimensions of each vector.", least=1
    )] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions:
    """Everything that a run needs besides the models and the tasks."""

    # Where results and vectors lie on one machine helps nobody who repeats the run elsewhere.
    output: Annotated[Path, Option(
        "Result folder. Default: results/runs/SUITE-TIME.", recorded=False
    )]
    cache: Annotated[Path | None, Option(
        "Folder of the vectors kept between runs.", recorded=False
    )] = None
    data: Annotated[tuple[tuple[str, Path], ...], Option(
        "Read data from FOLDER, or that of one suite or task from NAME=FOLDER. May be repeated."
    )] = ()
    limit: Annotated[int | None, Option(
        "At most so many queries, or rows a split.", moves_score="every", least=1
    )] = None
    device: Annotated[str | None, Option(
        "cpu, cuda, cuda:0,cuda:1, mps. Default: the best there is."
    )] = None
    dtype: Annotated[str | None, Option(
        "float32, tf32 (cards), bfloat16, float16, or native: bfloat16 if the device has it."
    )] = None
    batch_tokens: Annotated[int | None, Option("Padded tokens a batch.", least=1)] = None
    engine: Annotated[Engine, Option(
        "local, or ray: encode and fit probes on a Ray cluster."
    )] = "local"
    ray_address: Annotated[str | None, Option(
        "auto or HOST:6379. Default: RAY_ADDRESS, else Ray on this machine.", recorded=False
    )] = None
    workers: Annotated[int | None, Option(
        "Models in the cluster. Default: one a GPU, else one a machine.", least=1
    )] = None
    probe: Annotated[Probe, Option(
        "exact: scikit-learn's steps in machine code; sklearn, or reference: scikit-learn itself; "
        "fast: the same fits in torch.",
        moves_score="probes", alike=("exact", "sklearn", "reference"),
    )] = "exact"
    # Records say "width", as they did before this had a better name: old results stay comparable.
    vector_precision: Annotated[VectorPrecision, Option(
        "float16 rounds vectors as the published code did.", "--width", "width", "every"
    )] = "float32"
    quantize: Annotated[Quantize | None, Option(
        "int8 or binary: score vectors as a cheap index keeps them.",
        moves_score="every", when_given=True,
    )] = None
    seed: Annotated[int, Option(
        "Of probes, draws and intervals.", moves_score="every", least=0, most=LAST_SEED
    )] = 42
    offline: Annotated[bool, Option("Never open a connection.")] = False
    allow_missing: Annotated[bool, Option(
        "Score what is there; coverage stands beside it.", moves_score="coverage"
    )] = False
    # On the command line two flags, --resume and --overwrite.
    existing: Annotated[Existing, Option("Results already there.", recorded=False)] = "refuse"

    # fmt: on
    def __post_init__(self) -> None:
        """UsageError for a number out of its bounds, before any work is done with it."""
        for option, value in self._values():
            check_bounds(option.flag, value, option.least, option.most)

    def scoring(self) -> dict[str, object]:
        """The choices that may move a score, as they stand in every score file."""
        return {option.key: value for option, value in self._values() if option.moves_score}

    def arguments(self, choices: Choices) -> dict[str, object]:
        """All that a run's record says of what it was asked to do; see :func:`command_words`."""
        chosen = {option.key: getattr(choices, name) for name, option in CHOICES.items()}
        own = {option.key: value for option, value in self._values() if option.recorded}
        said = {key: _plain(value) for key, value in {**chosen, **own}.items()}
        places = [f"{name}={folder}" if name else str(folder) for name, folder in self.data]
        # As records said it when there was but one folder.
        return {**said, "data": places if len(places) > 1 else places[0] if places else None}

    def _values(self) -> list[tuple[Option, Any]]:
        values = [(option, getattr(self, name)) for name, option in OPTIONS.items()]
        return [(option, value) for option, value in values if value or not option.when_given]


def scoring_choices(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments of `RunOptions` by which a score file's settings came: `RunOptions.scoring`
    turned round."""
    names = {option.key: name for name, option in OPTIONS.items()}
    return {names.get(key, key): value for key, value in settings.items()}


def check_bounds(name: str, value: Any, least: int | None, most: int | None) -> None:
    """Raises UsageError where a number is smaller or larger than allowed; None is no number."""
    low, high = (value is not None and least is not None and value < least,
                 value is not None and most is not None and value > most)
    if low or high:
        bound = f"at least {least}" if low else f"at most {most}"
        raise UsageError(f"{name} must be {bound}, not {value}", fix="Give another number")


def command_words(arguments: Mapping[str, object]) -> list[str]:
    """The words of the ``run`` command that repeats a run, from the arguments in its record."""
    words: list[str] = []
    for option in (*CHOICES.values(), *OPTIONS.values()):
        value = arguments.get(option.key)
        # What is unset or off is left out: the command says what was chosen.
        if not option.recorded or value is None or value is False:
            continue
        if value is True:
            words.append(option.flag)
            continue
        for one in value if isinstance(value, list | tuple) else (value,):
            # Each value with its flag: Typer takes one value a flag.
            words += [option.flag, str(one)]
    return words


def _plain(value: object) -> object:
    """As JSON has it."""
    if isinstance(value, tuple):
        return [str(one) for one in value]
    return str(value) if isinstance(value, Path) else value


def _declared(kind: type) -> dict[str, Option]:
    found = {}
    for name, hint in get_type_hints(kind, include_extras=True).items():
        of_type, option = get_args(hint)
        found[name] = replace(
            option,
            key=option.key or name,
            flag=option.flag or f"--{name.replace('_', '-')}",
            default=kind.__dataclass_fields__[name].default,  # type: ignore[attr-defined]
            choices=get_args(of_type) if get_origin(of_type) is Literal else (),
        )
    return found


CHOICES, OPTIONS = _declared(Choices), _declared(RunOptions)
"""Every option by the name of its field."""
