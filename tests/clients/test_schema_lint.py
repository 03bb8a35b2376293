"""graphql-eslint's recommended rules for schemas, and those for Relay, on the committed schema.

Every exception is argued here, and none may outlive its reason.
"""

import re
from collections import Counter
from pathlib import Path
from typing import Any

from tests.client_apps import documented_files
from tests.clients.conftest import SCHEMA, RunScript

EXCEPTIONS = {
    # Named after Cliniko, to which it connects an organization. Clients know the name, and it is not a page.
    ("relay-connection-types", "ClinikoConnection"): 2,
    ("relay-arguments", "ConnectionPayload.connection"): 1,
    ("relay-arguments", "Dashboard.connection"): 1,
    # The values of `extensions.code`, which no field can return. The schema has them so that programs can be generated.
    ("no-unreachable-types", "ErrorCode"): 1,
}
"""The rule and the place of each finding that stays, and how often it is found."""

HOLD_ALWAYS = {
    "known-argument-names",
    "known-directives",
    "known-type-names",
    "lone-schema-definition",
    "possible-type-extension",
    "provided-required-arguments",
    "unique-directive-names",
    "unique-directive-names-per-location",
    "unique-field-definition-names",
    "unique-operation-types",
    "unique-type-names",
}
"""The rules that hold for every schema that can be built, as the committed one."""

VIOLATIONS = '''
type Bad_name {
  """Its name."""
  Name: String

  "On one line"
  inline: String

  # A comment in place of a description
  commented: String

  """The name of its type again."""
  bad_nameCount: Int

  """Without a reason."""
  old: String @deprecated
}

"""Values."""
enum Things {
  """One."""
  ONE

  """The same."""
  one
}

"""It has no id."""
type Anonymous {
  """Its name."""
  name: String
}

"""A page without `pageInfo`."""
type AnonymousConnection {
  """Its objects."""
  edges: [AnonymousEdge]
}

"""An edge without a cursor."""
type AnonymousEdge {
  """The object."""
  node: Anonymous
}

extend type Query {
  """A page without arguments."""
  anonymous: AnonymousConnection
}
'''
FOUND = {
    ("description-style", "Bad_name"),
    ("naming-convention", "Bad_name"),
    ("naming-convention", "Bad_name.Name"),
    ("naming-convention", "Bad_name.bad_nameCount"),
    ("naming-convention", "Things.one"),
    ("no-hashtag-description", "Bad_name"),
    ("no-typename-prefix", "Bad_name.bad_nameCount"),
    ("no-unreachable-types", "Bad_name"),
    ("no-unreachable-types", "Things"),
    ("relay-arguments", "Query.anonymous"),
    ("relay-connection-types", "AnonymousConnection"),
    ("relay-edge-types", "AnonymousEdge"),
    ("relay-page-info", "PageInfo.hasNextPage"),
    ("require-deprecation-reason", "Bad_name.old"),
    ("require-description", "Bad_name"),
    ("strict-id-in-types", "Anonymous"),
    ("strict-id-in-types", "AnonymousConnection"),
    ("strict-id-in-types", "AnonymousEdge"),
    ("strict-id-in-types", "Bad_name"),
    ("unique-enum-value-names", "Things.one"),
}
"""What is found in them, and where."""


def test_the_schema_has_no_finding_but_the_argued_ones(run_script: RunScript):
    """Names, descriptions, ids and pages follow the rules of graphql-eslint and Relay, but for argued exceptions."""
    assert Counter(_findings(_lint(run_script, SCHEMA))) == EXCEPTIONS


def test_a_violation_of_each_rule_is_found(run_script: RunScript, tmp_path: Path):
    """Each rule that a schema can break finds a planted violation. A new rule needs one too."""
    text = SCHEMA.read_text().replace("  hasNextPage: Boolean!", "  hasNextPage: Boolean")
    (planted := tmp_path / "planted.graphql").write_text(text + VIOLATIONS)
    linted = _lint(run_script, planted)
    assert set(_findings(linted)) - set(EXCEPTIONS) == FOUND
    assert {rule for rule, _ in FOUND} == set(linted["rules"]) - HOLD_ALWAYS


def test_what_is_no_schema_is_found(run_script: RunScript, tmp_path: Path):
    """A file that names a type that does not exist has findings, and is not taken for a clean one."""
    (broken := tmp_path / "broken.graphql").write_text(
        SCHEMA.read_text().replace("startedAt: DateTime!", "at: Moment!")
    )
    assert "Moment" in _lint(run_script, broken)["findings"][0]["message"]


def _lint(run_script: RunScript, schema: Path) -> Any:
    """The names of the rules, and the findings. A type without an id must be in the documented list of urql's cache."""
    parts = re.findall(r"(\w+): partOfItsParent", documented_files("urql-react")["src/client.ts"])
    return run_script("lint-schema.mjs", str(schema), *parts)


def _findings(linted: Any) -> list[tuple[str, str]]:
    return [(one["rule"], one["place"]) for one in linted["findings"]]
