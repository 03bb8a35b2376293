"""The files that ``docs/clients.md`` shows, and the apps of ``examples/`` that consist of them.

Each code block there begins with a comment that names its file. A block under the heading of a client belongs to that
client's app, any other block to both apps.
"""

import re
import shutil
from pathlib import Path

from tests.node_projects import ROOT, installed

PAGE = ROOT / "docs" / "clients.md"
APPS = {"Apollo Client": "apollo-react", "urql": "urql-react"}
"""The heading of each client, and the folder of its app."""

_BLOCK = re.compile(r"^```(?:ts|tsx|graphql)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def documented_files(app: str) -> dict[str, str]:
    """The files that the page shows for ``app``: path within the app, and text."""
    files = {}
    for section in re.split(r"^## ", PAGE.read_text(), flags=re.MULTILINE):
        if APPS.get(section.partition("\n")[0], app) == app:
            for text in _BLOCK.findall(section):
                files[re.match(r"(?://|#) (\S+)\n", text)[1]] = text
    return files


def copied_app(app: str, parent: Path) -> Path:
    """A copy of the app in ``parent`` whose documented files come from the page alone."""
    source = installed(ROOT / "examples" / app)
    folder = parent / app
    shutil.copytree(source, folder, ignore=shutil.ignore_patterns("node_modules*", *documented_files(app)))
    (folder / "node_modules").symlink_to(source / "node_modules")
    for name, text in documented_files(app).items():
        (folder / name).write_text(text)
    return folder
