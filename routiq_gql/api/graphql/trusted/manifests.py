"""Reads manifests of trusted documents: the files of ``ROUTIQ_DOCUMENTS``, and that of our own clients.

Two forms: an object of texts by their ids, as graphql-codegen (``persistedDocuments``) and relay-compiler
(``persistConfig``) write it, and Apollo's manifest, whose ``operations`` have ``id`` and ``body``.
Source: GraphQL Code Generator, "client-preset"; Relay, "Persisted Queries"; Apollo, "Persisted queries manifest".
"""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from routiq_gql.errors import SettingsError

OWN = Path(__file__).with_name("own.json")
"""The documents of the page, the element and the React component."""
MAX_MANIFEST_BYTES = 16 * 1024 * 1024
"""All of a file stays in memory."""
APOLLO_FORMAT = "apollo-persisted-query-manifest"

Entry = tuple[str, str]
"""The id of a document, and its text."""


def read_manifests(paths: Iterable[str]) -> Iterator[tuple[str, Entry]]:
    """Every entry of the files, with the path of its file.

    Raises:
        SettingsError: A file can't be read, or is no manifest. The sentence names it, and the entry.
    """
    for path in paths:
        for entry in _entries(path, _read(path)):
            yield path, entry


def _read(path: str) -> object:
    try:
        with Path(path).open("rb") as file:
            content = file.read(MAX_MANIFEST_BYTES + 1)
    except OSError as error:
        raise _wrong(path, f"can't be read: {error.strerror or type(error).__name__}") from None
    if len(content) > MAX_MANIFEST_BYTES:
        raise _wrong(path, f"has more than {MAX_MANIFEST_BYTES // 1024 // 1024} MiB")
    try:
        return json.loads(content.decode("utf-8-sig"), object_pairs_hook=_Pairs)
    except UnicodeDecodeError:
        raise _wrong(path, "is not UTF-8") from None
    except json.JSONDecodeError as error:
        raise _wrong(path, f"is not JSON: {error.msg} (line {error.lineno}, column {error.colno})") from None
    except ValueError:  # Python reads numbers of at most 4,300 digits
        raise _wrong(path, "has a number that is too large") from None
    except RecursionError:
        raise _wrong(path, "has too many levels") from None


class _Pairs(dict[str, object]):
    """A JSON object that remembers an id that it has twice, of which a dictionary would keep the last."""

    def __init__(self, pairs: list[tuple[str, object]]) -> None:
        super().__init__(pairs)
        counts = Counter(name for name, _ in pairs) if len(self) < len(pairs) else Counter[str]()
        self.repeated = next((name for name, count in counts.items() if count > 1), None)


def _entries(path: str, content: object) -> list[Entry]:
    if not isinstance(content, _Pairs):
        raise _wrong(path, "must hold a JSON object of documents by their ids")
    if content.repeated is not None:
        raise _wrong(path, f"has the id “{_shown(content.repeated)}” twice")
    if content.get("format") == APOLLO_FORMAT:
        return _apollo_entries(path, content)
    for key, text in content.items():
        if not isinstance(text, str) or not text.strip() or not key:
            raise _wrong(path, f"has no text of a document under “{_shown(key)}”")
    return [(key, str(text)) for key, text in content.items()]


def _apollo_entries(path: str, content: Mapping[str, object]) -> list[Entry]:
    if content.get("version") != 1:
        raise _wrong(path, "is a manifest of Apollo in a version other than 1, which is not known")
    operations = content.get("operations")
    if not isinstance(operations, list):
        raise _wrong(path, "has no list of “operations”")
    entries: list[Entry] = []
    for number, operation in enumerate(operations, 1):
        given = operation if isinstance(operation, dict) else {}
        key, text = given.get("id"), given.get("body")
        if not isinstance(key, str) or not key or not isinstance(text, str) or not text.strip():
            raise _wrong(path, f"has no “id” and “body” in its operation {number}")
        entries.append((key, text))
    return entries


def _wrong(path: str, what: str) -> SettingsError:
    return SettingsError(f"ROUTIQ_DOCUMENTS: {path} {what}.")


def _shown(key: str) -> str:
    return key if len(key) <= 100 else f"{key[:99]}…"
