"""The counter of wordings: what it reads, and when it refuses."""

from pathlib import Path

import pytest

from tests import english


def _rates(*paths: Path) -> dict[str, float]:
    counts = english.count(passage for path in english.files(paths) for passage in english.passages(path))
    return {counted.wording.name: counted.rate for counted in counts}


def test_docstrings_comments_and_documents_are_counted(tmp_path: Path):
    """An unclear word is found in each kind of text that a developer reads, and in no code."""
    source = tmp_path / "module.py"
    source.write_text('"""Nobody waits."""\n\nNOBODY = "nobody"  # whoever\n"""Somebody counts."""\n')
    page = tmp_path / "page.md"
    page.write_text("Everyone reads `nobody`.\n\n```sh\necho nobody\n```\n")
    assert _rates(source)["whoever, nobody"] == pytest.approx(3 * 1000 / 5)
    assert _rates(page)["whoever, nobody"] == pytest.approx(1000 / 2)


@pytest.mark.parametrize("wording", english.WORDINGS, ids=lambda wording: wording.name)
def test_a_text_beyond_a_limit_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], wording: english.Wording
):
    """A text with too many of any unclear wording fails the check, which names the place and what to write instead."""
    example = {
        "whoever, nobody": "somebody", "tell, told": "told", "go on": "goes on", "what is": "what is", "one": "one",
        "an own": "an own", "metaphors": "door", "is to be": "is to be", "idioms": "put off", "none that": "none that",
    }[wording.name]  # fmt: skip
    page = tmp_path / "page.md"
    page.write_text(f"The clinic {example} waits.\n")
    monkeypatch.setattr("sys.argv", ["english", str(page), "--list"])
    assert english.main() == 1
    printed = capsys.readouterr().out
    assert f"{page}:1: {example}" in printed
    assert wording.instead in printed
    page.write_text("The clinic waits.\n")
    assert english.main() == 0
