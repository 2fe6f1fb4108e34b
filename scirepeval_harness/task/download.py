"""Data that lies on no hub: files at a public address, kept in one folder with their sums."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from scirepeval_harness.errors import DataError, OfflineError, StorageError
from scirepeval_harness.files import data_dir, read_json, sha256_of, write_json
from scirepeval_harness.progress import SILENT, Progress
from scirepeval_harness.task.spec import Download, TaskSpec

if TYPE_CHECKING:
    import requests

SUMS = "sums.json"
PART = ".part"
CHUNK = 1 << 16
"""Bytes at a time: what a broken line loses at most."""
TRIES = 5
TIMEOUT = (10.0, 60.0)
"""Seconds to connect, and between two pieces of an answer."""
RETRIED = (429, 500, 502, 503, 504)


@dataclass(frozen=True, slots=True)
class Kept:
    """A downloaded file: where it came from, its size in bytes, its SHA-256 in hex."""

    url: str
    bytes: int
    sha256: str
    fetched_at: str


def folder_of(task: TaskSpec) -> Path:
    """Where the files of a task are kept."""
    return data_dir() / task.whole


def have(task: TaskSpec) -> bool:
    """Whether every file of the task's download is there, in its recorded size."""
    if task.download is None:
        return False
    folder = folder_of(task)
    kept = kept_files(folder)
    return all(
        name in kept and _size(folder / name) == kept[name].bytes for name in task.download.paths
    )


def obtain(task: TaskSpec, *, offline: bool, progress: Progress = SILENT) -> Path:
    """The folder with the task's files, each downloaded where it is missing.

    A file's sum is recorded when it arrives first, and a file is only used while it has that sum:
    the addresses give no sums, so that a changed file is noticed, though not which one is right.

    Raises:
        OfflineError: files are missing and ``offline``, or their address does not answer.
        DataError: the address has no such file, or a file differs from its recorded sum.
        StorageError: the disk is full, or the folder cannot be written.
    """
    assert task.download is not None
    folder = folder_of(task)
    for path in task.download.paths:
        _obtain(task, task.download, folder, path, offline=offline, progress=progress)
    return folder


def kept_files(folder: Path) -> dict[str, Kept]:
    """The record of a task's downloaded files, by path below ``folder``.

    Raises:
        StorageError: the record is damaged.
    """
    try:
        raw = read_json(folder / SUMS)
        return {str(name): Kept(**entry) for name, entry in raw.items()}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise StorageError(
            f"the sums of downloaded files cannot be read ({error})",
            where=str(folder / SUMS),
            fix="Delete this folder and fetch again",
        ) from error


def _obtain(
    task: TaskSpec, source: Download, folder: Path, path: str, *, offline: bool, progress: Progress
) -> None:
    kept = kept_files(folder)
    target = folder / path
    if not target.is_file():
        if offline:
            raise OfflineError(
                "not downloaded yet",
                where=f"task {task.name}, {path}",
                fix=f"Run: python -m scirepeval_harness fetch --task {task.name}",
            )
        _download(task, source.address(path), target, progress)
    digest = sha256_of(target)
    if path not in kept:
        now = datetime.now(UTC).isoformat(timespec="seconds")
        kept[path] = Kept(source.address(path), target.stat().st_size, digest, now)
        write_json(folder / SUMS, {name: asdict(one) for name, one in kept.items()})
    elif digest != kept[path].sha256:
        raise DataError(
            f"the file is not the one of {kept[path].fetched_at}: its SHA-256 is {digest[:12]}, "
            f"recorded is {kept[path].sha256[:12]}",
            where=str(target),
            fix=f"Delete the file and fetch it again; if its source has changed, delete {SUMS} too",
        )


def _download(task: TaskSpec, url: str, target: Path, progress: Progress) -> None:
    """Download to a file beside the target, going on where an earlier try broke off."""
    import requests

    part = target.with_name(target.name + PART)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with _session() as session:
            for left in reversed(range(TRIES)):
                try:
                    _fill(session, url, part, progress)
                    break
                except (requests.ConnectionError, requests.Timeout, _Cut) as error:
                    if left == 0:
                        raise OfflineError(
                            "the address does not answer, or breaks off",
                            where=f"task {task.name}, {url}",
                            fix="Try again: it goes on where it stopped. Or download the file "
                            f"yourself and pass its folder with --data {task.name}=FOLDER",
                        ) from error
        part.replace(target)
        _tag(part).unlink(missing_ok=True)
    except requests.RequestException as error:
        raise _refused(task, url, error) from error
    except OSError as error:
        raise StorageError(
            f"cannot write the file ({error.strerror or error})",
            where=str(part),
            fix="Free space, or choose another folder with SCIREPEVAL_HARNESS_DATA_DIR",
        ) from error


class _Cut(Exception):
    """An answer that ended before its announced length."""


def _session() -> requests.Session:
    import requests
    from requests.adapters import HTTPAdapter
    from urllib3.util import Retry

    # The library waits longer each time, and as long as Retry-After says.
    retry = Retry(total=TRIES, backoff_factor=0.5, status_forcelist=RETRIED, raise_on_status=False)
    session = requests.Session()
    for scheme in ("https://", "http://"):
        session.mount(scheme, HTTPAdapter(max_retries=retry))
    # A compressed answer has another length than the file, and cannot be resumed within.
    session.headers["Accept-Encoding"] = "identity"
    return session


def _fill(session: requests.Session, url: str, part: Path, progress: Progress) -> None:
    """Write the file to ``part``, from where it stands if it is still the same file."""
    import requests

    done, tag = _size(part), _tag(part)
    known = tag.read_text(encoding="utf-8") if tag.is_file() else ""
    # Without a tag nobody can say that the rest belongs to the beginning.
    resume = {"Range": f"bytes={done}-", "If-Range": known} if done and known else {}
    with session.get(url, headers=resume, stream=True, timeout=TIMEOUT) as answer:
        if answer.status_code == requests.codes.requested_range_not_satisfiable:
            part.unlink()
            raise _Cut
        answer.raise_for_status()
        if answer.status_code != requests.codes.partial_content:
            done = 0
        tag.write_text(answer.headers.get("ETag", ""), encoding="utf-8")
        name = part.name.removesuffix(PART)
        announced = answer.headers.get("Content-Length", "")
        total = done + int(announced) if announced.isdigit() else None
        with (
            part.open("ab" if done else "wb") as file,
            progress.bar(name, total or 0, "B", "download") as advance,
        ):
            advance(done)
            try:
                for piece in answer.iter_content(CHUNK):
                    file.write(piece)
                    done += len(piece)
                    advance(len(piece))
            except requests.exceptions.ChunkedEncodingError as error:
                raise _Cut from error
    if total is not None and done != total:
        raise _Cut


def _refused(
    task: TaskSpec, url: str, error: requests.RequestException
) -> DataError | OfflineError:
    status = None if error.response is None else error.response.status_code
    where = f"task {task.name}, {url}"
    fix = f"Download the file yourself and pass its folder with --data {task.name}=FOLDER"
    if status in RETRIED:
        return OfflineError(f"the address answers {status}", where=where, fix=f"Try again. {fix}")
    return DataError(f"the address answers {status or error}", where=where, fix=fix)


def _tag(part: Path) -> Path:
    return part.with_name(part.name + ".etag")


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def downloads(tasks: Mapping[str, TaskSpec]) -> Iterator[tuple[str, str, Kept]]:
    """Every downloaded file that is kept: task, path below its folder, record."""
    for name, task in tasks.items():
        if task.download is not None:
            for path, kept in kept_files(folder_of(task)).items():
                yield name, path, kept
