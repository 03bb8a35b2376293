"""The glossary has the words of the product: each is one line, and occurs in the code or in the schema."""

import re
from pathlib import Path

ROOT = Path(__file__).parent.parent
ENTRY = re.compile(r"^- \*\*([a-z ]+)\*\*: (.+)$", re.MULTILINE)


def _entries() -> list[tuple[str, str]]:
    return ENTRY.findall((ROOT / "docs" / "glossary.md").read_text())


def _words_of(text: str) -> str:
    """The text in lower case, with names such as ``SyncStep`` and ``fetch_page`` as separate words."""
    return re.sub(r"[_\W]+", " ", re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", text)).lower()


def test_each_term_occurs_in_the_code_or_in_the_schema():
    """A reader who looks a word up meets it again where the product uses it."""
    files = [ROOT / "schema.graphql", *(ROOT / "routiq_gql").rglob("*.py")]
    words = _words_of("\n".join(file.read_text() for file in files))
    terms = [term for term, _ in _entries()]
    assert len(terms) >= 50
    assert [term for term in terms if not re.search(rf"\b{term}(s|es)?\b", words)] == []


def test_each_term_is_explained_once_in_one_line():
    """No term has two meanings, and no explanation runs on."""
    page = (ROOT / "docs" / "glossary.md").read_text()
    terms = [term for term, _ in _entries()]
    assert len(terms) == len(set(terms)) == len(re.findall(r"^- ", page, re.MULTILINE))
    assert [line for line in page.splitlines() if line.startswith("  ")] == []
    assert [term for term, meaning in _entries() if len(meaning) > 120] == []
