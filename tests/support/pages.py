"""The blocks of a page, run as a reader would: commands, Python and files, one folder a page.

A console block holds ``$ command`` lines, each followed by what it prints; ``...`` stands for
anything, alone on a line for any lines. A block with a title is a file that the reader saves. A
comment ``<!-- needs: hub -->`` before a block says what a test machine lacks: its commands are then
parsed, and not run.
"""

from __future__ import annotations

import contextlib
import io
import re
import shlex
import subprocess
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import typer

from scirepeval_harness.cli.main import app

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
PAGES = (ROOT / "README.md", *sorted(DOCS.glob("*.md")))
NEEDS = frozenset({"hub", "GPU", "network", "cluster", "API key", "CI"})
"""What a block may say it needs, and is not run for."""
BLOCK = re.compile(
    r"(?:^<!-- needs: (?P<needs>[^\n]*) -->\n\n?)?"
    r"^(?P<indent> *)```(?P<language>\w+)(?: title=\"(?P<title>[^\"]+)\")?\n"
    r"(?P<text>.*?)^(?P=indent)```$",
    re.MULTILINE | re.DOTALL,
)
HARNESS = ("python -m scirepeval_harness", "scirepeval-harness")
INDENTED = re.compile(
    r"^(?:    |\t)+((?:\$ )?(?:python -m scirepeval_harness|python benchmarks/|pip|make)\S*.*)$"
)


@dataclass(frozen=True)
class Block:
    """A fenced block: ``needs`` is empty where a test can run it, ``title`` the file that it is."""

    language: str
    text: str
    line: int
    title: str = ""
    needs: str = ""


def blocks(page: Path) -> list[Block]:
    """The fenced blocks of a page, in its order; indentation within lists is taken away."""
    text, found = page.read_text(encoding="utf-8"), []
    for match in BLOCK.finditer(text):
        lines = [line.removeprefix(match["indent"]) for line in match["text"].splitlines(True)]
        line = text.count("\n", 0, match.start("text")) + 1
        found.append(
            Block(
                match["language"],
                "".join(lines),
                line,
                match["title"] or "",
                match["needs"] or "",
            )
        )
    return found


@dataclass
class Step:
    """A command, and the lines that it prints according to the page."""

    command: str
    shown: list[str] = field(default_factory=list)


def steps(text: str) -> list[Step]:
    """The commands of a console block; lines before the first are not its business."""
    found: list[Step] = []
    open_line = False
    for line in text.splitlines():
        if open_line:
            found[-1].command += "\n" + line.removeprefix("> ")
        elif line.startswith("$ "):
            found.append(Step(line[2:]))
        elif found:
            found[-1].shown.append(line)
        open_line = (open_line or line.startswith("$ ")) and line.endswith("\\")
    return found


def commands(page: Path) -> Iterator[str]:
    """Every command line of a page, whatever kind of block it stands in."""
    text = page.read_text(encoding="utf-8")
    for block in blocks(page):
        if block.language == "console":
            yield from (step.command for step in steps(block.text))
        elif block.language in ("bash", "sh", "yaml"):
            lines = block.text.replace("\\\n", " ").splitlines()
            yield from (line.strip().removeprefix("- run: ") for line in lines)
    for line in re.sub(r"\\\n\s+", " ", BLOCK.sub("", text)).splitlines():
        if match := INDENTED.match(line):
            yield match[1].removeprefix("$ ")


def check_command(command: str) -> None:
    """That a line could be typed: its subcommand and options exist, and their values parse.

    Raises:
        AssertionError: a make target, an extra, a command or an option that does not exist.
        OSError: a benchmark that does not exist.
    """
    words = words_of(command)
    if words[:1] == ["make"]:
        makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
        assert re.search(rf"^{words[1]}:", makefile, re.MULTILINE), command
    elif "pip" in words[:4] and "install" in words:
        project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
        for extra in re.findall(r"\[([\w,-]+)\]", command):
            assert set(extra.split(",")) <= set(project["optional-dependencies"]), command
    elif words[:1] == ["python"] and words[1].startswith("benchmarks/"):
        files = (ROOT / words[1], ROOT / "benchmarks" / "support.py")
        declared = "".join(path.read_text(encoding="utf-8") for path in files)
        for option in (word for word in words if word.startswith("--")):
            assert f'"{option}"' in declared, command
    elif (arguments := of_harness(words)) is not None:
        _parse(arguments)


def _parse(arguments: list[str]) -> None:
    command, rest = typer.main.get_command(app), list(arguments)
    try:
        while hasattr(command, "resolve_command"):
            if rest == ["--help"]:
                return
            context = command.make_context("page", rest)
            _, command, rest = command.resolve_command(
                context, [*context._protected_args, *context.args]
            )
        if "--help" not in rest:
            command.make_context("page", rest)
    except Exception as error:
        # typer's errors of usage have no public class in common; nothing else ends here well.
        if not hasattr(error, "exit_code"):
            raise
        raise AssertionError(f"{arguments}: {error}") from error


def words_of(command: str) -> list[str]:
    """The words of the first simple command of a line."""
    lexer = shlex.shlex(command.replace("\\\n", " "), posix=True, punctuation_chars="|;&<>")
    lexer.whitespace_split, lexer.commenters = True, "#"
    words = list(lexer)
    ends = [place for place, word in enumerate(words) if set(word) <= set("|;&<>")]
    words = words[: min(ends, default=len(words))]
    while words and re.match(r"[A-Z_]+=", words[0]):
        words = words[1:]
    return words


def of_harness(words: Sequence[str]) -> list[str] | None:
    """The arguments that a line gives the harness; None where it calls another program."""
    if words and Path(words[0]).name.startswith("python") and words[1:3] == ["-m", HARNESS[0][10:]]:
        return list(words[3:])
    return list(words[1:]) if words[:1] == [HARNESS[1]] else None


class Stream(io.StringIO):
    """A part of what a reader sees; ``terminal`` where a person would be looking at it."""

    def __init__(self, lines: io.StringIO, terminal: bool) -> None:
        super().__init__()
        self._lines, self._terminal = lines, terminal

    def write(self, text: str) -> int:
        return self._lines.write(text)

    def isatty(self) -> bool:
        return self._terminal


class Reader:
    """Does what a page says, in a folder of its own.

    Tables come as on a terminal of 80 columns (the caller sets COLUMNS and NO_COLOR), progress as
    where it is piped: a bar is no text that a page could hold.
    """

    def __init__(self, folder: Path, replaced: dict[str, str] | None = None) -> None:
        self.folder = folder
        self.code = 0
        self.names: dict[str, object] = {}
        self._replaced = replaced or {}

    def follow(self, page: Path) -> None:
        """Every block of the page that needs nothing else, in order; the folder is the place where
        the caller stands.

        Raises:
            AssertionError: a command prints other things than the page says, or Python fails.
        """
        for block in blocks(page):
            place, text = f"{page.name}:{block.line}", self._put(block.text)
            if block.needs:
                assert block.needs in NEEDS, place
            elif block.title:
                (self.folder / block.title).parent.mkdir(parents=True, exist_ok=True)
                (self.folder / block.title).write_text(text, encoding="utf-8")
            elif block.language == "console":
                for step in steps(text):
                    printed = self.type(step.command)
                    assert matches(step.shown, printed), (
                        f"{place}: `{step.command}` prints\n{printed}\nand not\n"
                        + "\n".join(step.shown)
                    )
            elif block.language == "python":
                with contextlib.redirect_stdout(io.StringIO()):
                    exec(compile(text, place, "exec"), self.names)  # noqa: S102

    def type(self, command: str) -> str:
        """What a command line prints, errors among the rest."""
        words = words_of(command)
        arguments = of_harness(words)
        if arguments is not None:
            return self._harness(arguments)
        if command.strip() == "echo $?":
            return f"{self.code}\n"
        if words[0] in ("make", "pip", "git", "cd"):
            return ""
        done = subprocess.run(
            ["bash", "-c", command], cwd=self.folder, capture_output=True, text=True, check=False
        )
        self.code = done.returncode
        return done.stdout + done.stderr

    def _harness(self, arguments: list[str]) -> str:
        lines = io.StringIO()
        out, err = Stream(lines, terminal=True), Stream(lines, terminal=False)
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            try:
                app(arguments)
            except SystemExit as stop:
                self.code = int(stop.code or 0)
        return lines.getvalue()

    def _put(self, text: str) -> str:
        for before, after in self._replaced.items():
            text = text.replace(before, after)
        return text


def matches(shown: Sequence[str], printed: str) -> bool:
    """Whether a page's lines are what was printed; ``...`` is anything, nothing shown is too."""
    wanted = [line.rstrip() for line in shown]
    while wanted and not wanted[-1]:
        wanted.pop()
    if not wanted:
        return True
    given = "".join(f"{line.rstrip()}\n" for line in printed.rstrip().splitlines())
    pattern = "".join(
        r"(?:.*\n)*?" if line == "..." else re.escape(line).replace(r"\.\.\.", ".*") + "\n"
        for line in wanted
    )
    return re.fullmatch(pattern, given) is not None
