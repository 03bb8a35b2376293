"""Generates the types of the apps in ``examples/`` as ``docs/clients.md`` shows it; ``make schema`` calls it.

python -m tests.clients.generate
"""

import shutil
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.client_apps import APPS, documented_files
from tests.node_projects import ROOT, installed, run, tool

HERE = Path(__file__).parent


def generated_types(schema: str, folder: Path) -> dict[str, str]:
    """The generated files by name.

    Args:
        schema: The URL of a running server's GraphQL, or the path of a file.
        folder: An empty folder to work in.
    """
    files = documented_files("urql-react")
    (folder / "src").mkdir()
    (folder / "node_modules").symlink_to(installed(HERE) / "node_modules")
    (folder / "codegen.ts").write_text(files["codegen.ts"].replace("http://localhost:8000/graphql", schema))
    (folder / "src" / "operations.graphql").write_text(files["src/operations.graphql"])
    run(tool(folder, "graphql-codegen"), folder=folder)
    return {file.name: file.read_text() for file in (folder / "src" / "gql").iterdir()}


def main() -> None:
    """Write the files into both apps."""
    with TemporaryDirectory() as folder:
        written = generated_types(str(ROOT / "schema.graphql"), Path(folder))
    for app in APPS.values():
        target = ROOT / "examples" / app / "src" / "gql"
        shutil.rmtree(target, ignore_errors=True)
        target.mkdir()
        for name, text in written.items():
            (target / name).write_text(text)


if __name__ == "__main__":
    main()
