"""Counts wordings that make technical English hard to read, per 1,000 words of docstrings, comments and Markdown.

``make check`` runs it as a program, with paths to look at a part only and ``--list`` to see each place::

    python -m tests.english routiq_gql/cliniko --list

The limits are rates and not bans: "one" is a number, too. They hold for the package, the tests and the documents each.
Code, quoted texts and names in backticks are not counted.
"""

import argparse
import ast
import io
import re
import sys
import tokenize
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
GENERATED = ROOT / "docs" / "schema.md"
"""Repeats the descriptions of the schema, and has no words of its page."""
GROUPS = (("routiq_gql",), ("tests",), ("README.md", "CHANGELOG.md", "docs", "examples"))


@dataclass(frozen=True, slots=True)
class Wording:
    """A kind of wording: its most occurrences per 1,000 words, and what to write instead."""

    name: str
    pattern: re.Pattern[str]
    limit: float
    instead: str


def _wording(name: str, pattern: str, limit: float, instead: str) -> Wording:
    return Wording(name, re.compile(rf"\b(?:{pattern})\b", re.IGNORECASE), limit, instead)


WORDINGS = (
    _wording(
        "whoever, nobody",
        "whoever|whomever|nobody|somebody|everybody|anybody|someone|everyone|anyone|no one|those who",
        0.4,
        "the caller, the client, the process: name the person or the thing",
    ),
    _wording("tell, told", "tells?|told|telling", 0.6, "notify, publish, report, log, say"),
    _wording("go on", "go(?:es)? on|went on|going on|gone on", 0.2, "continue, resume"),
    _wording(
        "what is",
        "what (?:is|are|was|were|isn't|has|have|had|a|an|the|it|they|this|that|can|can't|cannot|may|must|comes?|came|"
        "makes?|reads?|only|each|one|we|you|our|their|its|others?|such|does|did|do|[a-z]+ed)",
        1.2,
        "the noun: rows to delete, the reason, the allowed values",
    ),
    _wording("one", "ones?", 6, "repeat the noun, or leave it out"),
    _wording("an own", "an own|(?:its|their|our|his|her|your|my) own", 1.0, "each … has its …; a separate …"),
    _wording(
        "metaphors", "doors?|news|sights?|hears?|heard|kin|goodbye|lies? in wait", 0.2, "endpoint, update, notification"
    ),
    _wording("is to be", "(?:is|are|was|were) to (?:be|have|do)", 0.2, "must, will, should"),
    _wording(
        "idioms",
        "take[ns]? up|took up|taking[ -]up|put off|puts off|looks? after|comes? of|come to naught",
        0.2,
        "claim, reschedule, maintain, result",
    ),
    _wording(
        "none that",
        "none (?:that|of them|which)|such (?:a|an) one|that which|of which",
        0.3,
        "no row matches; two sentences",
    ),
)


@dataclass(frozen=True, slots=True)
class Passage:
    """A comment, a docstring or a line of Markdown, without its code."""

    path: Path
    line: int
    text: str


def passages(path: Path) -> Iterator[Passage]:
    """What people read in a file; nothing for other kinds of files than Python and Markdown."""
    source = path.read_text(encoding="utf-8")
    if path.suffix == ".md":
        yield from _markdown(path, source)
    elif path.suffix == ".py":
        yield from _docstrings(path, source)
        yield from _comments(path, source)


def _markdown(path: Path, source: str) -> Iterator[Passage]:
    is_code = False
    for number, line in enumerate(source.splitlines(), 1):
        if line.lstrip().startswith("```"):
            is_code = not is_code
        elif not is_code:
            yield Passage(path, number, _without_code(line))


def _docstrings(path: Path, source: str) -> Iterator[Passage]:
    for node in ast.walk(ast.parse(source)):
        body = getattr(node, "body", None)
        for statement in body if isinstance(body, list) else ():
            match statement:
                case ast.Expr(value=ast.Constant(value=str(text))):  # also the text below a constant or a field
                    for offset, line in enumerate(text.splitlines()):
                        yield Passage(path, statement.lineno + offset, _without_code(line))


def _comments(path: Path, source: str) -> Iterator[Passage]:
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            yield Passage(path, token.start[0], _without_code(token.string.lstrip("#! ")))


def _without_code(text: str) -> str:
    return re.sub(r"``[^`]*``|`[^`]*`|https?://\S+|“[^”]*”|\"[^\"]*\"", " ", text)


def files(places: Iterable[Path]) -> Iterator[Path]:
    """Python and Markdown files within ``places``, but for installed packages."""
    for place in places:
        found = [place] if place.is_file() else sorted(place.rglob("*"))
        for path in found:
            if (
                path.suffix in {".py", ".md"}
                and path != GENERATED
                and not {"node_modules", ".venv", "dist"} & set(path.parts)
            ):
                yield path


@dataclass(frozen=True, slots=True)
class Count:
    """How often a wording stands in a text of ``words`` words."""

    wording: Wording
    found: list[tuple[Passage, str]]
    words: int

    @property
    def rate(self) -> float:
        """Occurrences per 1,000 words."""
        return 1000 * len(self.found) / max(self.words, 1)

    @property
    def is_too_much(self) -> bool:
        return self.rate > self.wording.limit


def count(read: Iterable[Passage]) -> list[Count]:
    """All wordings over all passages."""
    read = list(read)
    words = sum(len(re.findall(r"[A-Za-z][\w'’-]*", passage.text)) for passage in read)
    return [
        Count(
            wording,
            [(passage, match.group()) for passage in read for match in wording.pattern.finditer(passage.text)],
            words,
        )
        for wording in WORDINGS
    ]


def main() -> int:
    """The program: 1 if a wording stands more often than its limit."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("paths", nargs="*", type=Path, help="files and folders; without: all of the project")
    parser.add_argument("--list", action="store_true", help="show each place of the wordings beyond their limits")
    arguments = parser.parse_args()
    groups = [arguments.paths] if arguments.paths else [[ROOT / place for place in group] for group in GROUPS]
    reports = [_report(group, is_listing=arguments.list) for group in groups]
    return any(reports)


def _report(places: list[Path], *, is_listing: bool) -> bool:
    """Print the rates within ``places``; whether a wording stands there more often than its limit."""
    counts = count(passage for path in files(places) for passage in passages(path))
    names = ", ".join(place.name for place in places)
    print(f"{names}: {counts[0].words:,} words; occurrences per 1,000:")
    for counted in counts:
        mark, wording = "!" if counted.is_too_much else " ", counted.wording
        print(f"{mark} {counted.rate:5.2f} of {wording.limit:<4} {wording.name:16} {wording.instead}")
        if is_listing and counted.is_too_much:
            for passage, match in counted.found:
                print(f"      {passage.path}:{passage.line}: {match}: {passage.text.strip()}")
    return any(counted.is_too_much for counted in counts)


if __name__ == "__main__":
    sys.exit(main())
