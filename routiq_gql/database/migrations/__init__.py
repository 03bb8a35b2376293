"""Alembic's folder: ``env``, and a file for each change of the tables in ``versions``. Nothing here imports Alembic."""

from pathlib import Path

FOLDER = Path(__file__).parent


def newest_revision() -> str:
    """The revision of the newest migration. Revisions are numbers, and a file's name begins with its revision."""
    return max(file.name.partition("_")[0] for file in FOLDER.glob("versions/[0-9]*.py"))
