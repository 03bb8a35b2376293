"""The files that ``docs/clients.md`` shows, and the apps of ``examples/`` that consist of them.

A code block there that begins with a file's name in a comment is that file. Under the heading of a client it belongs to
that client's app, under the common heading of Apollo Client and urql to both apps.
"""

import asyncio
import re
import shutil
from pathlib import Path

from tests.node_projects import ROOT, installed, run

PAGE = ROOT / "docs" / "clients.md"
APPS = {"Apollo Client": "apollo-react", "urql": "urql-react"}
"""The heading of each client, and the folder of its app."""
RELAY = "relay-react"
"""The folder of the Relay app."""
SECTIONS = {heading: {app} for heading, app in APPS.items()} | {
    "Apollo Client and urql": set(APPS.values()),
    "Relay": {RELAY},
}
"""The heading of each section with files, and the apps that have these files."""

_BLOCK = re.compile(r"^```(?:ts|tsx|graphql)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_NAME = re.compile(r"(?://|#) (\S+\.\w+)\n")


def documented_files(app: str) -> dict[str, str]:
    """The files that the page shows for ``app``: path within the app, and text."""
    files = {}
    for section in re.split(r"^## ", PAGE.read_text(), flags=re.MULTILINE):
        heading = section.partition("\n")[0]
        for text in _BLOCK.findall(section):
            name = _NAME.match(text)
            assert (name is not None) == (heading in SECTIONS), f"under {heading!r}: {text[:40]!r}"
            if name is not None and app in SECTIONS[heading]:
                files[name[1]] = text
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


async def build_page(app: Path, page: Path, *, server: str) -> None:
    """Compile a copied app without errors, and build its page for the server at this URL.

    It is built as `npm run dev` runs it, with StrictMode and all warnings.
    """
    options = ("--mode", "development", "--logLevel", "error", "--outDir", str(page))
    variables = {"NODE_ENV": "development", "VITE_ROUTIQ_URL": server}
    await asyncio.to_thread(run, "npm", "run", "build", "--", *options, folder=app, **variables)
