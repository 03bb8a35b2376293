"""Parsed and validated documents, kept for the next request with the same text, up to a number of bytes.

Replaces two caches of Strawberry, which count documents, not bytes: a document of 1,000 tokens takes half a megabyte.
They also keep the errors of invalid documents. Used by ``OperationLimits``.
"""

import sys
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

from graphql import ASTValidationRule, DocumentNode, GraphQLError, GraphQLSchema, parse
from strawberry.schema.schema import validate_document

REMEMBERED_DOCUMENTS = 100
"""The most documents kept, those used last."""
MAX_DOCUMENT_BYTES = 16 * 1024 * 1024
"""The most memory of kept documents: at least fifteen of the largest."""
BYTES_PER_TOKEN = 560
"""The most memory per token of a document's tree, measured with graphql-core 3.3."""


@dataclass(slots=True)
class _Known:
    document: DocumentNode
    bytes: int
    valid_for: object = None


class Documents:
    """The documents that were used last.

    Attributes:
        bytes: Their memory, estimated from text and tokens.
    """

    def __init__(self) -> None:
        self._known: OrderedDict[str, _Known] = OrderedDict()
        self.bytes = 0

    def __len__(self) -> int:
        return len(self._known)

    def parse(self, text: str, **options: Any) -> DocumentNode:
        """The document.

        Args:
            options: For graphql-core's parser; the same in every call.

        Raises:
            GraphQLSyntaxError: It is malformed, or has too many tokens.
        """
        known = self._known.get(text)
        if known is None:
            document = parse(text, **options)
            # A string exists twice: in the text and as a value.
            known = self._known[text] = _Known(document, 2 * sys.getsizeof(text) + BYTES_PER_TOKEN * _tokens(document))
            self.bytes += known.bytes
            while len(self._known) > REMEMBERED_DOCUMENTS or self.bytes > MAX_DOCUMENT_BYTES:
                self.bytes -= self._known.popitem(last=False)[1].bytes
        else:
            self._known.move_to_end(text)
        return known.document

    def validate(
        self, schema: GraphQLSchema, document: DocumentNode, rules: tuple[type[ASTValidationRule], ...]
    ) -> list[GraphQLError]:
        """The errors of a document. A valid document is remembered as valid."""
        known = self._known.get(document.loc.source.body) if document.loc is not None else None
        if known is None or known.document is not document:
            return validate_document(schema, document, rules)
        if known.valid_for == (schema, rules):
            return []
        errors = validate_document(schema, document, rules)
        if not errors:
            known.valid_for = schema, rules
        return errors


DOCUMENTS = Documents()
"""The documents of this process, shared by its schemas."""


def _tokens(document: DocumentNode) -> int:
    count, token = 0, document.loc.start_token if document.loc is not None else None
    while token is not None:
        count, token = count + 1, token.next
    return count
