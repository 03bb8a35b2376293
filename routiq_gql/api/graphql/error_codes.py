"""``enum ErrorCode``: all values of ``extensions.code``, with what each means and what a client does about it.

No field returns it, since errors have no type in a schema. It is there for readers and for code generators, which turn
it into a type that a program can branch on. The values are those of ``api/errors.py`` and of ``trusted/requests.py``.
"""

from enum import Enum

from strawberry import enum, enum_value


@enum(
    description="The values of `extensions.code` of an error. An error means that the request, or a field of it, could "
    "not be executed; outcomes that have a result are the `problem` of a payload."
)
class ErrorCode(Enum):
    BAD_USER_INPUT = enum_value(
        "BAD_USER_INPUT",
        description="The document, a variable or an argument is not accepted, or the operation exceeds a limit of "
        "size, cost or time. The same request fails again: change it as the message says.",
    )
    DOCUMENT_NOT_TRUSTED = enum_value(
        "DOCUMENT_NOT_TRUSTED",
        description="The server executes trusted documents only, and does not know this one. Add it to a file of "
        "`ROUTIQ_DOCUMENTS` on the server.",
    )
    FORBIDDEN = enum_value(
        "FORBIDDEN",
        description="The token may not reach this organization, or lacks the role for this. Use another token.",
    )
    INTERNAL = enum_value(
        "INTERNAL",
        description="A fault of the server, or its database or its token issuer can't be reached. "
        "`extensions.reference` finds the reason in the server's log. A later retry may succeed.",
    )
    PERSISTED_QUERY_NOT_SUPPORTED = enum_value(
        "PERSISTED_QUERY_NOT_SUPPORTED",
        description="The request names a document without its text, and the server does not have it. Send the text; "
        "Apollo Client and urql do so by themselves.",
    )
    RATE_LIMITED = enum_value(
        "RATE_LIMITED",
        description="Too many requests, subscriptions, starts or attempts within a time. Retry later.",
    )
    SYNC_NOT_FOUND = enum_value(
        "SYNC_NOT_FOUND",
        description="There is no sync with this id, or it is another organization's. The same request fails again.",
    )
    UNAUTHENTICATED = enum_value(
        "UNAUTHENTICATED", description="The token is missing, wrong, expired or revoked. Get a new one, and retry."
    )
    WEBHOOK_NOT_FOUND = enum_value(
        "WEBHOOK_NOT_FOUND",
        description="There is no webhook or delivery with this id, or it is another organization's. The same request "
        "fails again.",
    )
