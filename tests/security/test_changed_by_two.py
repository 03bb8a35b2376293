"""Changes of the token file by others: two processes lose nothing of each other's, and a server follows all of them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from routiq_gql.security import token_file
from routiq_gql.security.token_file import TokenFile

CHANGES: dict[str, Callable[[TokenFile, str], Any]] = {
    "add": lambda tokens, _: tokens.add("org_1"),
    "revoke": lambda tokens, token_id: tokens.revoke(token_id),
}


@pytest.mark.parametrize("other", CHANGES)
@pytest.mark.parametrize("ours", CHANGES)
def test_each_change_keeps_the_change_that_came_just_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ours: str, other: str
):
    """The other process makes its change while this one waits for the lock."""
    path = tmp_path / "tokens"
    first, second, third = (TokenFile(path).add("org_1")[0].id for _ in range(3))
    lock = token_file.FileLock

    def wait_for_other(*arguments: Any, **options: Any) -> Any:
        monkeypatch.setattr(token_file, "FileLock", lock)
        CHANGES[other](TokenFile(path), second)
        return lock(*arguments, **options)

    tokens = TokenFile(path)
    assert len(tokens.entries()) == 3
    monkeypatch.setattr(token_file, "FileLock", wait_for_other)
    CHANGES[ours](tokens, first)
    left = [one.id for one in TokenFile(path).entries()]
    assert [one for one in left if one in {first, second, third}] == [
        token_id for token_id, change in ((first, ours), (second, other), (third, "add")) if change != "revoke"
    ]
    assert len(left) == 3 + sum(1 if change == "add" else -1 for change in (ours, other))


def test_a_server_follows_whatever_becomes_of_the_file(tmp_path: Path):
    """A deleted file accepts no token, another file only its own, and an earlier file that comes back its own again."""
    path, kept, other = tmp_path / "tokens", tmp_path / "kept", TokenFile(tmp_path / "other")
    server = TokenFile(path)
    _, first = TokenFile(path).add("org_1")
    _, second = other.add("org_2")

    def accepted() -> list[str | None]:
        return [found and found.organization_id for found in map(server.find, (first, second))]

    assert accepted() == ["org_1", None]
    path.rename(kept)
    assert accepted() == [None, None]
    assert server.entries() == ()
    (tmp_path / "other").rename(path)
    assert accepted() == [None, "org_2"]
    path.unlink()
    assert accepted() == [None, None]
    kept.rename(path)
    assert accepted() == ["org_1", None]
