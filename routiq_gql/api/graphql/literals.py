"""Numbers with too many digits in a GraphQL document, found before validation.

Python refuses to convert more than 4,300 digits, and validation would report that as an internal error.
"""

import re

from graphql import DocumentNode, TokenKind

from routiq_gql.api.json_text import MAX_DIGITS

_DIGITS = re.compile(rf"\d{{{MAX_DIGITS + 1}}}")
_NUMBERS = frozenset({TokenKind.INT, TokenKind.FLOAT})


def too_long_a_number(document: DocumentNode) -> str | None:
    """A sentence if the document has a number of more than ``MAX_DIGITS`` digits, else ``None``."""
    if document.loc is None or not _DIGITS.search(document.loc.source.body):  # a quick check, which may match a string
        return None
    token = document.loc.start_token
    while token.kind is not TokenKind.EOF:
        if token.kind in _NUMBERS and len(token.value or "") > MAX_DIGITS:
            return f"The document has a number of more than {MAX_DIGITS} digits (line {token.line})."
        if token.next is None:
            break
        token = token.next
    return None
