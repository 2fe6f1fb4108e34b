"""Joining a Ray cluster, or starting one on this machine, quietly; and its errors in our words."""

from __future__ import annotations

import importlib.util
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from scirepeval_harness.errors import HarnessError, MissingExtraError, UsageError

LOCAL = "local"
LEVEL = "RAY_BACKEND_LOG_LEVEL"
TELEMETRY = "RAY_USAGE_STATS_ENABLED"
LOGS = "Look into Ray's logs, then go on with --resume"


@dataclass(frozen=True, slots=True)
class Cluster:
    """What a cluster has. ``node_cpus`` is the number of the machine with the fewest."""

    address: str
    nodes: int
    cpus: int
    gpus: int
    node_cpus: int


@contextmanager
def joined(address: str | None) -> Iterator[Cluster]:
    """Connect for the time of a run, and leave it again; a cluster of this machine ends with it.

    Args:
        address: as Ray takes it (``auto``, ``HOST:6379``); None for the RAY_ADDRESS of the
            environment, or else a cluster on this machine alone.

    Raises:
        MissingExtraError: Ray is not installed.
        UsageError: no cluster answers there, or one of another Ray or Python.
    """
    if importlib.util.find_spec("ray") is None:
        raise MissingExtraError(
            "ray is not installed",
            where="--engine ray",
            fix="Run: pip install 'scirepeval-harness[ray]'",
        )
    with _set(TELEMETRY, "0"):
        yield from _joined(address)


def _joined(address: str | None) -> Iterator[Cluster]:
    with _set(LEVEL, "fatal"):
        import ray

    # The caller's own connection, of a notebook or a test: used, and not shut down behind it.
    if ray.is_initialized():
        yield _measure(ray.get_runtime_context().gcs_address)
        return
    # Said plainly, because Ray without an address joins whatever cluster it finds on this machine.
    where = address or os.environ.get("RAY_ADDRESS") or LOCAL
    try:
        # Progress and errors are ours to report; Ray's own logs stay in its session folder.
        with _set(LEVEL, "fatal"):
            ray.init(
                address=where,
                # None leaves it as it is: only the head that starts a cluster has a dashboard.
                include_dashboard=False if where == LOCAL else None,
                log_to_driver=False,
                logging_level=logging.ERROR,
            )
    except (ConnectionError, RuntimeError, ValueError) as error:
        raise UsageError(
            f"no Ray cluster can be joined: {error}",
            where=f"--ray-address {where}",
            fix="Start one with: ray start --head (docs/scale.md)",
        ) from error
    try:
        yield _measure(where)
    finally:
        ray.shutdown()


@contextmanager
def cluster_errors(
    kind: type[HarnessError], what: str, where: str | None = None, fix: str = LOGS
) -> Iterator[None]:
    """Ray's errors inside as the harness's own error that caused them, or else as one of ``kind``
    that ends with the last line of what Ray said."""
    import ray

    try:
        yield
    except ray.exceptions.RayError as error:
        known = in_our_words(error)
        if known is not None:
            raise known from error
        # Ray's message is a remote traceback; its last line is the error itself.
        said = str(error).strip().splitlines()[-1]
        raise kind(f"{what}: {said}", where=where, fix=fix) from error


def in_our_words(error: BaseException) -> HarnessError | None:
    """The harness's own error inside one of Ray's, if there is one."""
    # Causes may point at each other; without this a circle would never end.
    seen: set[int] = set()
    at: BaseException | None = error
    while at is not None and id(at) not in seen:
        seen.add(id(at))
        inner = getattr(at, "cause", None) or at.__cause__
        if isinstance(at, HarnessError) and not hasattr(at, "cause"):
            # Ray Data adds words of its own to the messages of errors that pass through it.
            plain = type(at)(at.what, where=at.where, fix=at.fix)
            return at if str(at) == str(plain) else plain
        at = inner if isinstance(inner, BaseException) else None
    return None


@contextmanager
def _set(name: str, value: str) -> Iterator[None]:
    """An environment variable for what is started inside, unless the user has set it.

    Ray's core, told to be fatal, reports what is fatal and nothing else: it calls Ray Data's own
    way of starting actors an error, on the terminal, at each encoding. Usage reports are off.
    """
    given = os.environ.get(name)
    # In the environment, because the processes that Ray starts inherit it.
    os.environ[name] = given or value
    try:
        yield
    finally:
        if given is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = given


def _measure(address: str) -> Cluster:
    import ray

    alive = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    # A head started with --num-cpus 0 takes no work, and would make a worker plan of no processors.
    able = [resources for resources in alive if resources.get("CPU", 0) >= 1]
    if not able:
        raise UsageError(
            "the cluster has no processors to work on",
            where=f"--ray-address {address}",
            fix="Start workers with: ray start --address HEAD:6379",
        )
    return Cluster(
        address=address,
        nodes=len(able),
        cpus=sum(int(resources["CPU"]) for resources in able),
        gpus=sum(int(resources.get("GPU", 0)) for resources in able),
        node_cpus=min(int(resources["CPU"]) for resources in able),
    )


@dataclass(frozen=True, slots=True)
class WorkerPlan:
    """Workers that hold a model each, and the processors and cards of one."""

    workers: int
    cpus: int
    gpus: int

    def __str__(self) -> str:
        share = "1 GPU" if self.gpus else f"{self.cpus} CPU{'s' if self.cpus > 1 else ''}"
        return f"{self.workers} worker{'s' if self.workers > 1 else ''} of {share}"


def worker_plan(cluster: Cluster, workers: int | None, device: str | None) -> WorkerPlan:
    """One worker a card; without cards one a machine, with all of its processors.

    Args:
        workers: as many as the user wants, or None. More than fit wait until the cluster grows.
        device: the kind of device that the user asked for: cpu, cuda or mps.

    Raises:
        UsageError: a numbered device or several, or cards that the cluster has not.
    """
    if device is not None and ("," in device or ":" in device):
        raise UsageError(
            "on a cluster Ray hands out the devices",
            where=f"--device {device}",
            fix=f"Give --device {device.partition(':')[0]} and a number of --workers",
        )
    if device == "cuda" and not cluster.gpus:
        raise UsageError(
            "the cluster has no GPU",
            where="--device cuda",
            fix="Start its workers where the GPUs are, or leave --device out",
        )
    if cluster.gpus and device in (None, "cuda"):
        return WorkerPlan(workers or cluster.gpus, cpus=1, gpus=1)
    count = workers or cluster.nodes
    # Rounded up: the machine with most workers must hold them all.
    on_each = -(-count // cluster.nodes)
    return WorkerPlan(count, cpus=max(1, cluster.node_cpus // on_each), gpus=0)
