"""``TrustedDocuments``: finds the document of a request by its id, or refuses the request."""

from collections.abc import Iterable, Mapping
from hashlib import sha256

import structlog
from graphql import GraphQLError, GraphQLSchema, NoSchemaIntrospectionCustomRule, parse, specified_rules
from graphql import validate as validate_document

from routiq_gql.api.graphql.trusted.manifests import OWN, read_manifests
from routiq_gql.api.graphql.trusted.requests import (
    has_no_text,
    named_ids,
    names_its_document,
    not_trusted,
    unknown_id,
)
from routiq_gql.errors import SettingsError

log = structlog.get_logger(__name__)

SHA256_PREFIX = "sha256:"
"""Marks a ``documentId`` that is a hash. Source: GraphQL over HTTP, appendix A, "Document identifier"."""


class TrustedDocuments:
    """The documents of the manifests, and of our own clients.

    Each is found by its key in the manifest, and by the SHA-256 of its text in hexadecimal letters, with and without
    ``sha256:``.

    Args:
        paths: Manifests of the operator.
        is_only: Refuse all other documents.

    Raises:
        SettingsError: A manifest can't be read, two different documents have the same id, or a hash is wrong.
    """

    def __init__(self, paths: Iterable[str] = (), *, is_only: bool = False) -> None:
        self._is_only = is_only
        self._texts: dict[str, str] = {}  # by all ids
        self._known: set[str] = set()
        self._given: list[tuple[str, str, str]] = []
        for path, (key, text) in read_manifests([str(OWN), *paths]):
            digest = sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
            if key.startswith(SHA256_PREFIX) and key != SHA256_PREFIX + digest:
                raise SettingsError(f"ROUTIQ_DOCUMENTS: {path} has a document under “{key}”, which is not its SHA-256.")
            for name in (key, digest, SHA256_PREFIX + digest):
                if self._texts.setdefault(name, text) != text:
                    raise SettingsError(
                        f"ROUTIQ_DOCUMENTS: {path} has another document under “{name}” than an entry before it, in "
                        "this file or an earlier one. Each id must have one text."
                    )
            self._known.add(text)
            if path != str(OWN):
                self._given.append((path, key, text))

    def __len__(self) -> int:
        return len(self._known)

    def warn_of_invalid(self, schema: GraphQLSchema, max_tokens: int, *, introspection: bool = True) -> int:
        """Log each document of the operator that the schema refuses. The others are not affected.

        Args:
            introspection: Whether documents may ask for the schema.

        Returns:
            How many there are.
        """
        invalid = 0
        for path, key, text in self._given:
            problem = _problem_of(schema, text, max_tokens, introspection=introspection)
            if problem is not None:
                invalid += 1
                log.warning("A trusted document can't be executed.", file=path, id=key, reason=problem)
        return invalid

    def document_of(self, request: Mapping[str, object]) -> str | GraphQLError | None:
        """The text to execute for a request, or the error that refuses it.

        A text that is trusted may be sent as well as its id.

        Args:
            request: Its ``query``, ``documentId`` and ``extensions``, with any values.

        Returns:
            ``None`` if the request neither has a text nor names one.
        """
        if names_its_document(request):
            found = (self._texts.get(one) for one in named_ids(request))
            return next((text for text in found if text is not None), None) or unknown_id()
        if has_no_text(request):
            return None
        text = request["query"]
        if not isinstance(text, str):
            return None
        return not_trusted() if self._is_only and text not in self._known else text


def _problem_of(schema: GraphQLSchema, text: str, max_tokens: int, *, introspection: bool) -> str | None:
    rules = specified_rules if introspection else [*specified_rules, NoSchemaIntrospectionCustomRule]
    try:
        errors = validate_document(schema, parse(text, max_tokens=max_tokens), rules)
    except GraphQLError as error:
        errors = [error]
    except RecursionError:
        return "It has too many levels."
    return errors[0].message if errors else None
