"""Every link in a Markdown file leads somewhere: to a file of the project, and to a heading that is in it."""

import re
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])

_CODE = re.compile(r"^```.*?^```|`[^`\n]*`", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\]\((?!https?:)([^)\s#]*)(?:#([^)\s]*))?\)")
_HEADING = re.compile(r"^#{1,6} +(.+?) *$", re.MULTILINE)


def anchors_of(text: str) -> set[str]:
    """The anchors that GitHub gives to the headings of a page."""
    anchors = set()
    seen: Counter[str] = Counter()
    for heading in _HEADING.findall(re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)):
        slug = re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
        anchors.add(f"{slug}-{seen[slug]}" if seen[slug] else slug)
        seen[slug] += 1
    return anchors


def dead_links(page: Path, root: Path = ROOT) -> list[str]:
    """The links of ``page`` whose file or heading does not exist within ``root``."""
    dead = []
    for path, anchor in _LINK.findall(_CODE.sub("", page.read_text())):
        target = (page.parent / path).resolve() if path else page
        if not target.exists() or not target.is_relative_to(root):
            dead.append(path)
        elif anchor and (target.suffix != ".md" or anchor not in anchors_of(target.read_text())):
            dead.append(f"{path}#{anchor}")
    return dead


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_to_a_file_and_a_heading(page: Path):
    """A reader who follows a link in the README, in the docs or in the changelog finds the page and its section."""
    assert dead_links(page) == []


def test_a_dead_link_is_noticed(tmp_path: Path):
    """A link to a missing file, to a missing heading, or out of the project is reported; others are not."""
    assert anchors_of("# A `b`, c!\n## Same\n## Same\n```sh\n# no heading\n```") == {"a-b-c", "same", "same-1"}
    text = "[a](missing.md) [b](#nowhere) [c](#here) [d](../../etc) `[e](code.md)` [f](https://example.com/#x)\n# Here"
    (tmp_path / "page.md").write_text(text)
    assert dead_links(tmp_path / "page.md", tmp_path) == ["missing.md", "#nowhere", "../../etc"]


def test_every_page_is_reachable_from_the_readme():
    """A reader who starts at the README gets to each page of the docs by links alone."""
    reached = {ROOT / "README.md"}
    waiting = list(reached)
    while waiting:
        page = waiting.pop()
        for path, _ in _LINK.findall(_CODE.sub("", page.read_text())):
            target = (page.parent / path).resolve()
            if target.suffix == ".md" and target not in reached:
                reached.add(target)
                waiting.append(target)
    assert set(PAGES) <= reached
