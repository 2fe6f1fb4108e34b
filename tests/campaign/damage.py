"""What can be wrong with an input file: a value in it, or the file itself."""

from __future__ import annotations

import json
import os
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Step = str | int
Place = tuple[Step, ...]
"""Where a value stands: keys and numbers of elements, from the outside in."""
Damage = tuple[str, Callable[[Path], object]]
"""Its name, and what does it to a file."""
LONG_LINE = 10_000_000


@dataclass(frozen=True)
class Raw:
    """Text that stands in a file as it is, such as ``NaN``."""

    text: str


class Pairs(list[tuple[str, Any]]):
    """An object whose keys may be repeated."""


def pairs(value: Any) -> Any:
    """A value with its objects as `Pairs`."""
    if isinstance(value, dict):
        return Pairs((key, pairs(inner)) for key, inner in value.items())
    return [pairs(inner) for inner in value] if isinstance(value, list) else value


def json_text(value: Any) -> str:
    """JSON, with whatever a damage put in."""
    return _text(value, ": ")


def toml_text(value: Any) -> str:
    """TOML, a key a line and tables inline."""
    return "".join(f"{json.dumps(key)} = {_text(inner, ' = ')}\n" for key, inner in value)


def _text(value: Any, between: str) -> str:
    if isinstance(value, Raw):
        return value.text
    if isinstance(value, Pairs | dict):
        items = value.items() if isinstance(value, dict) else value
        inside = (f"{json.dumps(key)}{between}{_text(inner, between)}" for key, inner in items)
        return "{" + ", ".join(inside) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(_text(inner, between) for inner in value) + "]"
    return json.dumps(value)


def of_json(path: Place) -> Iterator[Damage]:
    """Of a value in a file that holds one JSON value."""
    yield from _of_tree(path, json.loads, json_text, nan="NaN", infinity="Infinity")


def of_toml(path: Place) -> Iterator[Damage]:
    """Of a value in a TOML file."""
    import tomllib

    yield from _of_tree(path, tomllib.loads, toml_text, nan="nan", infinity="inf")


def of_jsonl(path: Place) -> Iterator[Damage]:
    """Of a value in a file of JSON lines; the first step is the number of the row."""

    def read(text: str) -> list[Any]:
        return [json.loads(line) for line in text.splitlines()]

    def write(rows: Any) -> str:
        return "".join(json_text(row) + "\n" for row in rows)

    yield from _of_tree(path, read, write, nan="NaN", infinity="Infinity")


def _of_tree(
    path: Place, read: Callable[[str], Any], write: Callable[[Any], str], **numbers: str
) -> Iterator[Damage]:
    def edit(change: Callable[[Any, Any], None]) -> Callable[[Path], None]:
        def apply(file: Path) -> None:
            tree = pairs(read(file.read_text(encoding="utf-8")))
            parent, at = _parent(tree, path)
            change(parent, at)
            file.write_text(write(tree), encoding="utf-8")

        return apply

    def to(new: Callable[[Any], Any]) -> Callable[[Path], None]:
        def change(parent: Any, at: int) -> None:
            if isinstance(parent, Pairs):
                parent[at] = (parent[at][0], new(parent[at][1]))
            else:
                parent[at] = new(parent[at])

        return edit(change)

    def rename(new: Callable[[str], str]) -> Callable[[Path], None]:
        def change(parent: Any, at: int) -> None:
            parent[at] = (new(parent[at][0]), parent[at][1])

        return edit(change)

    def twice(parent: Any, at: int) -> None:
        if isinstance(parent, Pairs):
            parent.append((parent[at][0], _other(parent[at][1])))
        else:
            parent.append(parent[at])

    yield "missing", edit(lambda parent, at: parent.__delitem__(at))
    yield "twice", edit(twice)
    if isinstance(path[-1], str):
        yield "key other case", rename(str.swapcase)
        yield "key stray space", rename(lambda key: f"{key} ")
    for name, new in (
        ("null", lambda old: Raw("null")),
        ("list", lambda old: [old]),
        ("object", lambda old: Pairs([("a", old)])),
        ("boolean", lambda old: True),
        ("number", lambda old: 7 if isinstance(old, str) else 7.5),
        ("text", lambda old: "x" if not isinstance(old, str) else "another x"),
        ("number as text", lambda old: "1_000"),
        ("other digits", lambda old: "٣"),
        ("empty", lambda old: [] if isinstance(old, list) else ""),
        ("huge", lambda old: "x " * 100_000 if isinstance(old, str) else 10**308),
        ("negative", lambda old: -1),
        ("nan", lambda old: Raw(numbers["nan"])),
        ("infinity", lambda old: Raw(numbers["infinity"])),
        ("minus infinity", lambda old: Raw(f"-{numbers['infinity']}")),
        ("NUL", lambda old: f"\0{old}"),
        ("lone surrogate", lambda old: Raw('"\\ud800 a"')),
        ("deep nesting", lambda old: Raw("[" * 20_000 + "]" * 20_000)),
        ("5,000 digits", lambda old: Raw("9" * 5_000)),
        ("other case", _on_text(str.swapcase)),
        ("stray space", _on_text(lambda old: f" {old} ")),
        ("upwards", _on_text(lambda old: f"../../{old}")),
    ):
        yield name, to(new)


def _on_text(change: Callable[[str], str]) -> Callable[[Any], Any]:
    return lambda old: change(old) if isinstance(old, str) else old


def _other(value: Any) -> Any:
    if isinstance(value, str):
        return f"{value} other"
    return value + 1 if isinstance(value, int | float) and not isinstance(value, bool) else None


def _parent(tree: Any, path: Place) -> tuple[Any, int]:
    for step in path[:-1]:
        tree = tree[_index(tree, step)] if isinstance(step, int) else tree[_index(tree, step)][1]
    return tree, _index(tree, path[-1])


def _index(parent: Any, step: Step) -> int:
    return step if isinstance(step, int) else [key for key, _ in parent].index(step)


def of_csv(path: Place) -> Iterator[Damage]:
    """Of the cell in a row (its number, without the header) and column (its name)."""
    import csv

    row, column = path

    def edit(change: Callable[[list[list[str]], int], None]) -> Callable[[Path], None]:
        def apply(file: Path) -> None:
            with file.open(newline="", encoding="utf-8") as stream:
                rows = list(csv.reader(stream))
            change(rows, rows[0].index(str(column)))
            with file.open("w", newline="", encoding="utf-8") as stream:
                csv.writer(stream).writerows(rows)

        return apply

    def to(new: Callable[[str], str]) -> Callable[[Path], None]:
        def change(rows: list[list[str]], at: int) -> None:
            rows[int(row) + 1][at] = new(rows[int(row) + 1][at])

        return edit(change)

    def everywhere(change: Callable[[list[str], int], object]) -> Callable[[Path], None]:
        return edit(lambda rows, at: [change(cells, at) for cells in rows] and None)

    def rename(new: Callable[[str], str]) -> Callable[[Path], None]:
        def change(rows: list[list[str]], at: int) -> None:
            rows[0][at] = new(rows[0][at])

        return edit(change)

    yield "missing", everywhere(lambda cells, at: cells.pop(at))
    yield "missing cell", edit(lambda rows, at: rows[int(row) + 1].pop(at))
    yield (
        "twice",
        everywhere(lambda cells, at: cells.append(cells[at] if cells[at] == column else "0")),
    )
    yield "row twice", edit(lambda rows, at: rows.append(rows[int(row) + 1]))
    yield "key other case", rename(str.swapcase)
    yield "key stray space", rename(lambda key: f" {key}")
    for name, new in (
        ("null", lambda old: "null"),
        ("list", lambda old: f"[{old}]"),
        ("object", lambda old: '{"a": 1}'),
        ("boolean", lambda old: "True"),
        ("text", lambda old: "another x"),
        ("number as text", lambda old: "1_000"),
        ("other digits", lambda old: "٣"),
        ("empty", lambda old: ""),
        ("huge", lambda old: "1e999"),
        ("negative", lambda old: f"-{old}"),
        ("nan", lambda old: "nan"),
        ("infinity", lambda old: "inf"),
        ("NUL", lambda old: f"\0{old}"),
        ("5,000 digits", lambda old: "9" * 5_000),
        ("other case", str.swapcase),
        ("stray space", lambda old: f" {old} "),
    ):
        yield name, to(new)


def of_parquet(path: Place) -> Iterator[Damage]:
    """Of a column (its name), or of the cell of its first row."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    [column] = path

    def edit(change: Callable[[list[str], list[Any]], None]) -> Callable[[Path], None]:
        def apply(file: Path) -> None:
            table = pq.read_table(file)
            names = list(table.column_names)
            columns: list[Any] = [table.column(name).to_pylist() for name in names]
            change(names, columns)
            pq.write_table(pa.Table.from_arrays([pa.array(c) for c in columns], names), file)

        return apply

    def at(names: list[str]) -> int:
        return names.index(str(column))

    def whole(new: Callable[[Any], Any]) -> Callable[[Path], None]:
        def change(names: list[str], columns: list[Any]) -> None:
            columns[at(names)] = [new(value) for value in columns[at(names)]]

        return edit(change)

    def first(new: Callable[[Any], Any]) -> Callable[[Path], None]:
        def change(names: list[str], columns: list[Any]) -> None:
            columns[at(names)] = [new(columns[at(names)][0]), *columns[at(names)][1:]]

        return edit(change)

    def drop(names: list[str], columns: list[Any]) -> None:
        del columns[at(names)], names[at(names)]

    def again(names: list[str], columns: list[Any]) -> None:
        names.append(str(column))
        columns.append(columns[at(names)][::-1])

    def rename(new: Callable[[str], str]) -> Callable[[Path], None]:
        def change(names: list[str], columns: list[Any]) -> None:
            names[at(names)] = new(str(column))

        return edit(change)

    yield "missing", edit(drop)
    yield "twice", edit(again)
    yield "key other case", rename(str.swapcase)
    yield "key stray space", rename(lambda key: f"{key} ")
    yield (
        "no rows",
        edit(lambda names, columns: columns.__setitem__(slice(None), [[] for _ in names])),
    )
    yield "null", first(lambda old: None)
    yield "all null", whole(lambda old: None)
    yield "list", whole(lambda old: [old])
    yield "object", whole(lambda old: {"a": old})
    yield "boolean", whole(lambda old: True)
    yield "number", whole(lambda old: 7.5)
    yield "nan", whole(lambda old: float("nan"))
    yield "infinity", whole(lambda old: float("inf"))
    yield "empty", whole(lambda old: [] if isinstance(old, list) else "")
    yield "text", whole(lambda old: "another x")
    yield "bytes", whole(lambda old: b"\xff\xfe")
    for name, text in (
        ("other case", str.swapcase),
        ("stray space", lambda old: f" {old} "),
        ("NUL", lambda old: f"\0{old}"),
    ):
        yield name, first(_on_text(text))
    numbers = {"nan": float("nan"), "infinity": float("inf"), "huge": 1e300}
    for name, number in numbers.items():
        yield (
            f"{name} inside",
            first(lambda old, n=number: [n, *old[1:]] if _numbers(old) else old),
        )
    yield "shorter", first(lambda old: old[:-1] if isinstance(old, list | str) else old)


def _numbers(value: Any) -> bool:
    return isinstance(value, list) and isinstance(value[0], float)


def of_arrays(path: Place) -> Iterator[Damage]:
    """Of an array (its name) in an npz or a safetensors file."""
    import numpy as np

    [name] = path

    def edit(change: Callable[[dict[str, Any]], object]) -> Callable[[Path], None]:
        def apply(file: Path) -> None:
            from safetensors.numpy import load_file, save_file

            if file.suffix == ".npz":
                with np.load(file) as archive:
                    arrays = {key: archive[key] for key in archive.files}
            else:
                arrays = load_file(file)
            change(arrays)
            if file.suffix == ".npz":
                np.savez(file, **arrays)
            else:
                save_file(arrays, file, metadata={"format": "pt"})

        return apply

    def to(new: Callable[[Any], Any]) -> Callable[[Path], None]:
        return edit(
            lambda arrays: arrays.update({str(name): np.ascontiguousarray(new(arrays[str(name)]))})
        )

    def first(value: Any) -> Callable[[Any], Any]:
        def change(old: Any) -> Any:
            new = old.copy() if old.dtype.kind == "f" else old.astype(object)
            new.flat[0] = value
            return new if old.dtype.kind == "f" else new.astype(str)

        return change

    yield "missing", edit(lambda arrays: arrays.pop(str(name)))
    yield (
        "key other case",
        edit(lambda arrays: arrays.update({str(name).swapcase(): arrays.pop(str(name))})),
    )
    yield "nan", to(first(float("nan")))
    yield "infinity", to(first(float("inf")))
    yield "shorter", to(lambda old: old[:-1])
    yield "empty", to(lambda old: old[:0])
    yield "list", to(lambda old: old[None])
    yield "boolean", to(lambda old: np.ones(old.shape, bool))
    yield "number", to(lambda old: np.full(old.shape, 7))


def of_arrays_in_npz(path: Place) -> Iterator[Damage]:
    """As `of_arrays`, with what only npz files can hold."""
    import numpy as np

    yield from of_arrays(path)

    def edit(new: Callable[[Any], Any]) -> Callable[[Path], None]:
        def apply(file: Path) -> None:
            with np.load(file) as archive:
                arrays = {key: archive[key] for key in archive.files}
            arrays[str(path[0])] = new(arrays[str(path[0])])
            np.savez(file, **arrays)

        return apply

    yield "text", edit(lambda old: old.astype(str))
    yield "objects", edit(lambda old: old.astype(object))
    yield "complex", edit(lambda old: np.zeros(old.shape, complex))
    yield "times", edit(lambda old: np.zeros(old.shape, "datetime64[s]"))


def of_file(text: bool) -> Iterator[Damage]:
    """Of a file as a whole; ``text`` for files of text."""

    def edit(change: Callable[[bytes], bytes]) -> Callable[[Path], None]:
        return lambda file: file.write_bytes(change(file.read_bytes()))

    def instead(make: Callable[[Path], object]) -> Callable[[Path], None]:
        def apply(file: Path) -> None:
            file.unlink()
            make(file)

        return apply

    yield "no file", lambda file: file.unlink()
    yield "directory", instead(lambda file: file.mkdir())
    yield "named pipe", instead(lambda file: os.mkfifo(file))
    yield "device", instead(lambda file: file.symlink_to("/dev/zero"))
    # Root reads whatever the permissions are; a link to nowhere fails for everybody.
    yield "unreadable", instead(lambda file: file.symlink_to(file.parent / "nowhere"))
    yield "empty file", edit(lambda data: b"")
    for part in (1, 2, 3):
        yield f"cut at {part}/4", edit(lambda data, part=part: data[: len(data) * part // 4])
    for number in range(6):
        yield f"bit flip {number}", edit(lambda data, number=number: _flipped(data, number))
    yield (
        "zeros inside",
        edit(lambda data: data[: len(data) // 2] + bytes(64) + data[len(data) // 2 :]),
    )
    yield "random bytes", edit(lambda data: random.Random(1).randbytes(len(data)))
    if text:
        yield "BOM", edit(lambda data: b"\xef\xbb\xbf" + data)
        yield "UTF-16", edit(lambda data: data.decode().encode("utf-16"))
        yield "UTF-16 without mark", edit(lambda data: data.decode().encode("utf-16-le"))
        yield "not UTF-8", edit(lambda data: data + b"\xff\xfe\n")
        yield "NUL at the end", edit(lambda data: data + b"\0")
        yield "CRLF", edit(lambda data: data.replace(b"\n", b"\r\n"))
        yield "10 MB line", edit(lambda data: data + b"x" * LONG_LINE + b"\n")
        yield "10 MB of brackets", edit(lambda data: b"[" * LONG_LINE)
        yield "given twice", edit(lambda data: data + data)


def _flipped(data: bytes, number: int) -> bytes:
    dice = random.Random(number)
    place = dice.randrange(len(data)) if number else 0
    return data[:place] + bytes([data[place] ^ (1 << dice.randrange(8))]) + data[place + 1 :]


BAD_VALUES = {
    "empty": "",
    "space": " ",
    "stray space": " 7 ",
    "text": "another x",
    "negative": "-1",
    "zero": "0",
    "nan": "nan",
    "infinity": "inf",
    "fraction": "1.5",
    "huge": "1e308",
    "beyond 64 bits": "99999999999999999999",
    "5,000 digits": "9" * 5_000,
    "not UTF-8": "\udcff",
    "control characters": "\x1b[2J::error",
    "other case": "FLOAT32",
    "upwards": "../../x",
    "list": "[1]",
    "null": "null",
}
"""Of an option, by name."""


OF_VALUES: dict[str, Callable[[Place], Iterator[Damage]]] = {
    "toml": of_toml,
    "json": of_json,
    "jsonl": of_jsonl,
    "csv": of_csv,
    "parquet": of_parquet,
    "npz": of_arrays_in_npz,
    "safetensors": of_arrays,
}
BINARY = ("parquet", "npz", "safetensors", "bin")


def damages(form: str, places: Sequence[Place]) -> Iterator[tuple[str, Callable[[Path], object]]]:
    """Every damage of a file of a form, by name: ``place: damage``, ``file: damage``."""
    for place in places:
        for name, apply in OF_VALUES[form](place):
            yield f"{'.'.join(map(str, place))}: {name}", apply
    for name, apply in of_file(form not in BINARY):
        yield f"file: {name}", apply
