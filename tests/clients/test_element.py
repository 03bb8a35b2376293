"""The package of the custom element without a browser: its size, its files, its types and its documentation."""

import gzip
import json
import re
import tarfile
from pathlib import Path

import pytest

from tests.node_projects import CLIENT, ELEMENT, INSTALL_SECONDS, ROOT, packed, run
from tests.test_project import PROJECT

pytestmark = pytest.mark.timeout(2 * INSTALL_SECONDS)

SOURCES = CLIENT / "src" / "element"
MOST_BYTES = 30 * 1024
"""What browsers load, compressed, for an element that a page embeds beside its own scripts."""


def test_the_script_is_small():
    """A page that embeds the element loads at most 30 KiB (30,720 bytes), gzipped, for it, with all that it needs."""
    script = (ELEMENT / "routiq-sync.js").read_bytes()
    assert len(gzip.compress(script, 9)) <= MOST_BYTES
    assert not re.search(rb"""(?:^|;|\})import\b|\}from["']""", script)


def test_the_package_has_what_it_says(shared_folder: Path):
    """Each file that apps may import is in the tarball, and it depends on no other package."""
    with tarfile.open(packed(ELEMENT, shared_folder)) as tarball:
        names = set(tarball.getnames())
        package = json.loads(tarball.extractfile("package/package.json").read())
    assert package["version"] == PROJECT["project"]["version"]
    assert "dependencies" not in package
    for entry in package["exports"].values():
        files = entry.values() if isinstance(entry, dict) else [entry]
        assert {file.replace("./", "package/", 1) for file in files} <= names
    assert {"package/README.md", "package/labels.d.ts"} <= names


def test_a_server_may_import_the_package(tmp_path: Path, shared_folder: Path):
    """Installed by npm, the package can be imported where there are no custom elements, and does nothing there."""
    (tmp_path / "package.json").write_text('{"type": "module"}')
    tarball = str(packed(ELEMENT, shared_folder))
    run("npm", "install", "--no-save", "--prefer-offline", "--no-audit", "--no-fund", tarball, folder=tmp_path)
    program = "const exported = await import('routiq-gql-element'); console.log(Object.keys(exported).length)"
    assert run("node", "--input-type=module", "--eval", program, folder=tmp_path) == "0\n"


def test_attributes_properties_and_parts_are_documented():
    """Authors of pages find each attribute, custom property and part in the package's README, and no other."""
    readme = (ELEMENT / "README.md").read_text()
    attributes = set(re.findall(r": '([a-z-]+)',", (SOURCES / "attributes.ts").read_text()))
    table = readme.partition("## Attributes and properties")[2].partition("\n## ")[0]
    assert set(re.findall(r"^\| `([a-z-]+)` \|", table, re.MULTILINE)) == attributes
    styles = "".join(file.read_text() for file in (SOURCES / "styles").glob("*.css"))
    assert set(re.findall(r"var\((--routiq-[a-z-]+)", styles)) == set(re.findall(r"`(--routiq-[a-z-]+)`", readme))
    views = "".join(file.read_text() for file in (SOURCES / "views").glob("*.ts"))
    texts = re.findall(r"""part[=:] ?["']([a-z -]+)["']""", views)
    parts = {part for text in texts for part in text.split()} | {"button"}
    documented = readme.partition("| part |")[2].partition("\n## ")[0]
    assert set(re.findall(r"`([a-z-]+)`", documented)) == parts


def test_readme_and_docs_name_the_package():
    """The commands in the documents are the commands that these tests run."""
    for page in ("README.md", "docs/clients.md", "examples/element/README.md"):
        text = (ROOT / page).read_text()
        assert "routiq-gql-element" in text, page
        assert "<routiq-sync" in text, page
