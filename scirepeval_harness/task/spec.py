"""The schema of a task file: one evaluation task as data."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, Literal, Self

import pydantic
from pydantic import Field
from pydantic_core import PydanticCustomError

from scirepeval_harness.extensions import EVALUATIONS
from scirepeval_harness.roles import Format, Role

Slug = Annotated[str, pydantic.StringConstraints(pattern=r"^[a-z0-9][a-z0-9._-]*$", max_length=80)]


class Strict(pydantic.BaseModel):
    """Base of every schema: unknown keys are errors, values do not change."""

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)


def _known_evaluation(name: str) -> str:
    if name not in EVALUATIONS:
        # The error of an enumeration, whose members are whatever is installed.
        expected = ", ".join(repr(known) for known in EVALUATIONS.names())
        raise PydanticCustomError("enum", "unknown evaluation", {"expected": expected})
    return name


def _inside(path: str) -> str:
    """A path that cannot lead out of the folder that it is put behind, on any system."""
    parts = re.split(r"[/\\]", path)
    if not path or ".." in parts or path[0] in "/\\~" or ":" in parts[0] or not path.isprintable():
        raise ValueError("must be a relative path inside the data folder, without '..'")
    return path


Inside = Annotated[str, pydantic.AfterValidator(_inside)]


class HubTable(Strict):
    """One table of a dataset repository on the hub: a config, and a split where it has several.

    A ``revision`` of None means the one that the suite pins for the repository.
    """

    repo: str
    config: Inside
    split: str | None = None
    revision: str | None = None


class HubData(Strict):
    """Where a task's data lies on the hub: one table each.

    ``labels`` has no split where all of the config's splits are used: train and test of supervised
    tasks, test_hard and test_soft of reviewer matching.
    """

    documents: HubTable | None = None
    labels: HubTable | None = None
    reviewers: HubTable | None = None


class LocalData(Strict):
    """Where a task's data lies below ``--data DIR``, as relative paths.

    ``documents`` is a JSON-lines file; ``labels`` a folder with train.csv and test.csv,
    test_qrel.jsonl, or test_hard_qrel.jsonl and test_soft_qrel.jsonl; ``reviewers`` the folder of
    reviewer_metadata.jsonl; ``pools`` an MDCR file of candidate lists; ``blocks`` a folder in
    S2AND's layout.
    """

    documents: Inside | None = None
    labels: Inside | None = None
    reviewers: Inside | None = None
    pools: Inside | None = None
    blocks: Inside | None = None


class Download(Strict):
    """Files at a public address, for data that is on no hub.

    ``files`` are paths below ``url``; they are kept at the same paths below ``into``, and [local]
    names them from there.
    """

    url: str = Field(pattern=r"^https?://.+/$")
    into: str = ""
    files: tuple[str, ...] = Field(min_length=1)

    @pydantic.model_validator(mode="after")
    def check_paths(self) -> Self:
        for path in (self.into, *self.files):
            # Whoever writes a task file must not choose where on a machine files are written.
            if PurePosixPath(path).is_absolute() or ".." in PurePosixPath(path).parts:
                raise ValueError(f"{path!r} points outside the folder of the data")
        return self

    @property
    def paths(self) -> tuple[str, ...]:
        """Where the files are kept, below the task's folder."""
        return tuple(str(PurePosixPath(self.into) / file) for file in self.files)

    def address(self, path: str) -> str:
        """The address of the file that is kept at ``path``."""
        return self.url + str(PurePosixPath(path).relative_to(self.into or "."))


class FewShot(Strict):
    """One few-shot setting: rows (or positives a class) drawn, and how many times."""

    sample_size: int = Field(ge=1, le=10**9)
    iterations: int = Field(ge=1, le=10**4)

    @property
    def setting(self) -> str:
        return f"{self.sample_size}-shot"


class Draw(Strict):
    """A part of every task of a suite, drawn by a hash of the ids (:mod:`~.draw`).

    ``documents`` is how many a task may need, ``share`` the most of its rows or queries that are
    kept; of a query at most ``candidates`` are kept, of a reviewer ``papers``, of a class at least
    ``least`` rows in each split. ``name`` is added to the names of tasks and columns.
    """

    name: Slug = "nano"
    documents: int | None = Field(None, ge=20)
    share: float | None = Field(None, gt=0, le=1, allow_inf_nan=False)
    candidates: int | None = Field(None, ge=2)
    papers: int | None = Field(None, ge=1)
    least: int = Field(3, ge=1)

    @pydantic.model_validator(mode="after")
    def check_amount(self) -> Self:
        if self.documents is None and self.share is None:
            raise ValueError("a draw has documents, share, or both")
        return self


class TaskSpec(Strict):
    """One task. ``version`` rises when a change of the file may change a score.

    ``evaluation`` names a kind of evaluation (:data:`~.extensions.EVALUATIONS`), which says what
    else a task must hold; ``options`` is for kinds of other packages.
    """

    name: Slug
    title: str
    version: int = Field(default=1, ge=1)
    format: Format
    evaluation: Annotated[str, pydantic.AfterValidator(_known_evaluation)]
    multi_label: bool = False
    metrics: tuple[str, ...] = Field(min_length=1)
    fields: tuple[str, ...] = Field(default=("title", "abstract"), min_length=1)
    query_fields: tuple[str, ...] = Field(default=("title", "abstract"), min_length=1)
    few_shot: tuple[FewShot, ...] = ()
    hub: HubData | None = None
    local: LocalData = LocalData()
    download: Download | None = None
    expected_fields: tuple[str, ...] = ()
    options: dict[str, str | int | float | bool] = Field(default={})
    synthetic: bool = False
    notes: str = ""
    draw: Draw | None = None
    expected_documents: int | None = Field(default=None, ge=0)
    """About how many, for the plan of a run whose data is not here yet; moves nothing."""

    @pydantic.model_validator(mode="after")
    def check_consistency(self) -> Self:
        if self.multi_label and self.format is not Format.CLASSIFICATION:
            raise ValueError("multi_label needs format classification")
        if self.few_shot and self.format is not Format.CLASSIFICATION:
            raise ValueError("few_shot needs format classification")
        for name in ("metrics", "fields", "query_fields", "few_shot", "expected_fields"):
            given = getattr(self, name)
            if len(set(given)) < len(given):
                raise ValueError(f"{name}: an entry is repeated")
        EVALUATIONS.get(self.evaluation).check(self)
        return self

    @pydantic.model_serializer(mode="wrap")
    def without_empty_options(self, dump: pydantic.SerializerFunctionWrapHandler) -> dict[str, Any]:
        # A key that all older files lack would change every definition's hash.
        found: dict[str, Any] = dump(self)
        for key in ("options", "download", "draw", "expected_documents"):
            if not found.get(key):
                found.pop(key, None)
        return found

    @property
    def whole(self) -> str:
        """The name of the task that it is a draw of; its own where it is none."""
        return self.name.removesuffix(f"-{self.draw.name}") if self.draw else self.name

    def roles(self) -> tuple[tuple[str, Role], ...]:
        """Who is encoded in which role, in the order of encoding: queries before candidates."""
        return EVALUATIONS.get(self.evaluation).roles(self)

    def definition_hash(self) -> str:
        """First 12 hex digits of the SHA-256 of all that may move the task's score."""
        # Where files are downloaded from moves no score: a fingerprint stands beside each one.
        cosmetic = {"title", "notes", "synthetic", "download", "expected_documents"}
        text = json.dumps(self.model_dump(mode="json", exclude=cosmetic), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:12]


FewShotReading = Literal["mean_of_settings", "full_and_mean_of_few_shot"]
ReviewerReading = Literal["mean_of_metrics", "hard_only", "soft_only"]
AuthorReading = Literal["measured", "constant", "excluded"]


class Readings(Strict):
    """Which reading of the protocol's open points the averages use (docs/protocol.md)."""

    few_shot: FewShotReading = "mean_of_settings"
    reviewer_matching: ReviewerReading = "mean_of_metrics"
    author_disambiguation: AuthorReading = "measured"
    author_disambiguation_constant: float = Field(96.5, ge=0, le=100, allow_inf_nan=False)


class Column(Strict):
    """One column of the leaderboard.

    Either a mean over the numbers of ``tasks`` (of one ``metric`` only, when given), or the mean
    over all numbers of the columns named in ``pools``.
    """

    name: str
    tasks: tuple[Slug, ...] = ()
    pools: tuple[str, ...] = ()
    metric: str | None = None

    @pydantic.model_validator(mode="after")
    def check_kind(self) -> Self:
        if bool(self.tasks) == bool(self.pools):
            raise ValueError("a column has either tasks or pools")
        return self


class SuiteSpec(Strict):
    """A named list of tasks and how their scores become a leaderboard row.

    ``revisions`` pins each dataset repository that the tasks use. A suite with ``of`` and ``draw``
    is another suite, ``without`` some of its tasks, on a part of their data: its file says no more.
    """

    name: Slug
    title: str
    task_set: str = ""
    of: Slug | None = None
    draw: Draw | None = None
    without: tuple[Slug, ...] = ()
    version: int = Field(default=1, ge=1)
    synthetic: bool = False
    notes: str = ""
    revisions: dict[str, str] = Field(default={})
    readings: Readings = Readings()
    columns: tuple[Column, ...] = ()
    unlisted: tuple[Slug, ...] = ()
    _folder: Path | None = pydantic.PrivateAttr(default=None)
    _origin: str | None = pydantic.PrivateAttr(default=None)

    @pydantic.model_validator(mode="after")
    def check_columns(self) -> Self:
        if (self.of is None) != (self.draw is None) or (self.without and self.of is None):
            raise ValueError("of, draw and without belong together")
        if self.of is None and not self.task_set:
            raise ValueError("task_set is required")
        names = [column.name for column in self.columns]
        for number, column in enumerate(self.columns):
            if column.name in names[:number]:
                raise ValueError(f"columns.{number}.name: {column.name!r} is used twice")
            for name in column.pools:
                if not any(other.tasks for other in self.columns if other.name == name):
                    raise ValueError(f"columns.{number}.pools: {name!r} is no column with tasks")
            for key, listed in (("tasks", column.tasks), ("pools", column.pools)):
                if twice := [name for name in listed if listed.count(name) > 1]:
                    raise ValueError(f"columns.{number}.{key}: {twice[0]!r} is listed twice")
        if twice := [name for name in self.unlisted if self.unlisted.count(name) > 1]:
            raise ValueError(f"unlisted: {twice[0]!r} is listed twice")
        return self

    @property
    def folder(self) -> Path | None:
        """Folder of the suite's file, where packaged data lies; None for one made in memory."""
        return self._folder

    @property
    def origin(self) -> str | None:
        """The package that brings the suite; None for a bundled one and for a user's own."""
        return self._origin

    def at(self, folder: Path, origin: str | None = None) -> Self:
        """The same suite, knowing that its file lies in ``folder``, and which package brings it."""
        placed = self.model_copy()
        placed._folder, placed._origin = folder, origin
        return placed

    def revision_of(self, table: HubTable) -> str | None:
        """The revision of a table: its own, else the one that the suite pins for its repository."""
        return table.revision or self.revisions.get(table.repo)

    def task_names(self) -> tuple[str, ...]:
        """Every task of the suite, in the order of its columns, each once."""
        listed = [task for column in self.columns for task in column.tasks]
        return tuple(dict.fromkeys([*listed, *self.unlisted]))

    def group_of(self, task: str) -> str | None:
        """Name of the first column that lists the task (``In-Train``, ``Out-of-Train``, ...)."""
        return next((column.name for column in self.columns if task in column.tasks), None)
