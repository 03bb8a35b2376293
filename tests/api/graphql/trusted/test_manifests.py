"""The manifests of trusted documents, and the sentences about wrong ones."""

import hashlib
import json
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from routiq_gql.api.graphql.limits import MAX_TOKENS
from routiq_gql.api.graphql.schema import make_schema
from routiq_gql.api.graphql.trusted.documents import TrustedDocuments
from routiq_gql.api.graphql.trusted.manifests import MAX_MANIFEST_BYTES, OWN, read_manifests
from routiq_gql.errors import SettingsError
from routiq_gql.settings import load_settings
from tests.node_projects import ROOT

TEXT = "{ __typename }"
OTHER = "query Other { __typename }"


def _written(folder: Path, content: object, name: str = "manifest.json") -> str:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
    return str(path)


def test_manifests_of_three_tools_are_read(tmp_path: Path):
    """Texts by their ids, as graphql-codegen and relay-compiler write them, and Apollo's list of operations."""
    apollo = {
        "format": "apollo-persisted-query-manifest",
        "version": 1,
        "operations": [{"id": "a1", "name": "Other", "type": "query", "body": OTHER}],
    }
    plain, listed = _written(tmp_path, {"f0": TEXT}), _written(tmp_path, apollo, "apollo.json")
    assert list(read_manifests([plain, listed])) == [(plain, ("f0", TEXT)), (listed, ("a1", OTHER))]
    with_mark = _written(tmp_path, b"\xef\xbb\xbf" + json.dumps({"f0": TEXT}).encode(), "mark.json")
    assert [entry for _, entry in read_manifests([with_mark])] == [("f0", TEXT)]
    assert list(read_manifests([_written(tmp_path, {})])) == []


WRONG: dict[str, tuple[object, str]] = {
    "not JSON": (b"{", "is not JSON"),
    "not UTF-8": (b'{"a": "\xff"}', "is not UTF-8"),
    "a list": ([TEXT], "must hold a JSON object of documents by their ids"),
    "a text": (TEXT, "must hold a JSON object of documents by their ids"),
    "a number as text": ({"a": 1}, "has no text of a document under “a”"),
    "an empty text": ({"b": " "}, "has no text of a document under “b”"),
    "an empty id": ({"": TEXT}, "has no text of a document under “”"),
    "an object as text": ({"c": {"body": TEXT}}, "has no text of a document under “c”"),
    "an id twice": (b'{"a": "{ a }", "a": "{ b }"}', "has the id “a” twice"),
    "an id twice among many": (
        b'{%s, "key7": "{ b }"}' % b", ".join(b'"key%d": "{ a }"' % number for number in range(100_000)),
        "has the id “key7” twice",
    ),
    "a number with too many digits": (b'{"a": ' + b"1" * 5_000 + b"}", "has a number that is too large"),
    "deep": (b'{"a": ' + b"[" * 100_000, "is not JSON|has too many levels"),
    "another version": ({"format": "apollo-persisted-query-manifest", "version": 2}, "version other than 1"),
    "no operations": ({"format": "apollo-persisted-query-manifest", "version": 1}, "has no list of “operations”"),
    "an operation without a body": (
        {"format": "apollo-persisted-query-manifest", "version": 1, "operations": [{"id": "a"}]},
        "has no “id” and “body” in its operation 1",
    ),
    "a wrong hash": ({"sha256:" + "0" * 64: TEXT}, "which is not its SHA-256"),
    "the hash of another document": (
        {hashlib.sha256(OTHER.encode()).hexdigest(): TEXT, "other": OTHER},
        "has another document under",
    ),
}


@pytest.mark.parametrize(("content", "sentence"), WRONG.values(), ids=WRONG)
def test_a_wrong_manifest_ends_the_start_with_a_sentence(tmp_path: Path, content: object, sentence: str):
    """The sentence names the setting, the file and the place."""
    path = _written(tmp_path, content)
    with pytest.raises(SettingsError, match=sentence) as raised:
        TrustedDocuments([path])
    assert raised.value.message.startswith(f"ROUTIQ_DOCUMENTS: {path} ")


def test_a_file_that_is_missing_or_too_large_is_named(tmp_path: Path):
    """A wrong path, a folder and a file of another kind are told apart."""
    large = tmp_path / "large.json"
    with large.open("wb") as file:
        file.truncate(MAX_MANIFEST_BYTES + 1)
    for path, sentence in (
        (tmp_path / "missing.json", "can't be read: No such file or directory"),
        (tmp_path, "can't be read: Is a directory"),
        (large, "has more than 16 MiB"),
    ):
        with pytest.raises(SettingsError, match=re.escape(f"{path} {sentence}")):
            TrustedDocuments([str(path)])


def test_two_files_may_not_disagree(tmp_path: Path):
    """One id with two texts would execute the wrong document for one of the clients."""
    first, second = _written(tmp_path, {"a": TEXT}), _written(tmp_path, {"a": OTHER}, "second.json")
    with pytest.raises(SettingsError, match=r"second\.json has another document under “a” than an entry before it"):
        TrustedDocuments([first, second])
    operations = [{"id": "a", "body": TEXT}, {"id": "a", "body": OTHER}]
    listed = {"format": "apollo-persisted-query-manifest", "version": 1, "operations": operations}
    with pytest.raises(SettingsError, match="in this file or an earlier one"):
        TrustedDocuments([_written(tmp_path, listed)])


def test_a_document_that_the_schema_refuses_is_logged_and_harms_no_other(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    """An old document in a manifest does not stop the server; the log names file, id and reason."""
    content = {"good": TEXT, "old": "{ removedField }", "broken": "{", "long": "{ " + "a " * MAX_TOKENS + "}"}
    documents = TrustedDocuments([_written(tmp_path, content)])
    assert documents.warn_of_invalid(make_schema()._schema, MAX_TOKENS) == 3
    logged = capsys.readouterr().out
    assert "removedField" in logged
    assert "Syntax Error" in logged
    assert "good" not in logged
    assert documents.document_of({"documentId": "good"}) == TEXT


def test_a_document_that_asks_for_the_schema_is_logged_where_that_is_off(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    """With trusted documents only, introspection is off for them too; the log says so at the start."""
    documents = TrustedDocuments([_written(tmp_path, {"good": TEXT, "asking": "{ __schema { description } }"})])
    schema = make_schema()._schema
    assert documents.warn_of_invalid(schema, MAX_TOKENS) == 0
    assert documents.warn_of_invalid(schema, MAX_TOKENS, introspection=False) == 1
    assert "introspection has been disabled" in capsys.readouterr().out


def test_the_setting_is_a_list_of_paths(monkeypatch: pytest.MonkeyPatch):
    """Paths are separated by commas and may have spaces."""
    monkeypatch.setenv("ROUTIQ_DOCUMENTS", " /srv/my app/a.json , b.json,")
    assert load_settings().documents == ("/srv/my app/a.json", "b.json")


def test_the_manifest_of_our_clients_has_what_they_send():
    """Each text in the generated code of the client is in the manifest under its SHA-256, and no other text is."""
    own = json.loads(OWN.read_text())
    sent = {}
    for file in ("core", "page/patients"):
        code = (ROOT / "examples" / "client" / "src" / file / "gql" / "graphql.ts").read_text()
        fragments = dict(re.findall(r"^const (\w+) = `(.*)`;$", code, re.MULTILINE))
        for text in re.findall(r"^export const \w+Document = `(.*)` as", code, re.MULTILINE):
            whole = re.sub(r"\$\{(\w+)\}", lambda name, known=fragments: known[name[1]], text)
            sent[hashlib.sha256(whole.encode()).hexdigest()] = whole
    assert len(sent) >= 18
    assert own == sent
    assert TrustedDocuments([]).warn_of_invalid(make_schema()._schema, MAX_TOKENS) == 0


@given(st.dictionaries(st.text(min_size=1), st.text().filter(str.strip), max_size=5), st.text())
def test_any_manifest_finds_its_own_texts_and_no_other(tmp_path_factory, texts: dict[str, str], other: str):
    """Whatever ids and texts a tool chooses: each id brings its text or the start fails, and unknown ids bring none."""
    path = _written(tmp_path_factory.getbasetemp(), texts, "drawn.json")
    try:
        documents = TrustedDocuments([path], is_only=True)
    except SettingsError:
        return
    for key, text in texts.items():
        for name in (key, hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()):
            assert documents.document_of({"documentId": name}) == text
        assert documents.document_of({"query": text}) == text
    if other and other not in texts:
        assert not isinstance(documents.document_of({"documentId": other}), str)
