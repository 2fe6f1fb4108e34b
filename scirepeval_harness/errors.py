"""Errors that a user can act on: one line that says what, where and what to do.

Each class carries the exit code of the command line: 2 for a mistake in the input, 3 for a run that
did not complete, 4 for results that may not be compared. Of what is no error of a user, the command
line makes 130 (interrupted) and 70 (a defect of the harness).
"""

from __future__ import annotations


class HarnessError(Exception):
    """Base of every error that the harness raises on purpose.

    Args:
        what: what is wrong, in a few words.
        where: the file, line, field, task or model concerned.
        fix: what the user can do about it.

    Example:
        >>> import scirepeval_harness as sh
        >>> try:
        ...     sh.tasks()["serch"]
        ... except sh.HarnessError as error:
        ...     print(error.what, "|", error.fix)
        unknown task 'serch' | Did you mean search or search-nano?
    """

    exit_code = 2

    def __init__(self, what: str, *, where: str | None = None, fix: str | None = None) -> None:
        # Kept apart as well as joined: one error may be raised again as another kind.
        self.what, self.where, self.fix = what, where, fix
        # Runs of blanks, line ends too, become one: an error is one line in logs and score files.
        message = f"{where}: {what}" if where else what
        super().__init__(
            " ".join(f"{message}. {fix}".split()) if fix else " ".join(message.split())
        )


class UsageError(HarnessError):
    """A command or option that cannot be carried out as given."""


class UnknownNameError(UsageError):
    """A task, model, suite or role that no registry holds."""


class SpecError(UsageError):
    """A task, suite, model or policy file that does not follow its schema."""


class DataError(HarnessError):
    """Documents or labels that are missing, malformed or inconsistent."""


class CoverageError(DataError):
    """A task whose documents or vectors are not all there, without ``--allow-missing``."""


class ModelError(HarnessError):
    """A model or adapter that cannot be loaded, or that yields unusable vectors."""


class OfflineError(HarnessError):
    """Something needed from the network while offline, or a network that does not answer."""


class MissingExtraError(UsageError):
    """An optional dependency that the chosen feature needs."""


class ExperimentError(HarnessError):
    """Another program, run in an environment of its own, that failed or printed something else."""

    exit_code = 3


class StorageError(HarnessError):
    """A file that cannot be written or read back: full disk, damaged shard, bad permissions."""


class ProbeError(HarnessError):
    """Training data on which the protocol's probe cannot be fitted."""


class IncompleteRunError(HarnessError):
    """A run in which at least one task failed or was interrupted."""

    exit_code = 3


class NotComparableError(HarnessError):
    """Results that differ in data, protocol or precision and so may not be compared."""

    exit_code = 4
