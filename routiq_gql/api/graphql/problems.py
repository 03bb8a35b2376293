"""``interface Problem``: an outcome that a caller can act on, as a value and not as an error.

A problem comes beside the sync or the connection that it is about. A fault of the request is an error of the operation
instead, with a code of ``ErrorCode`` in its extensions.
"""

from typing import Self

import strawberry

from routiq_gql.api.graphql.enums import CancelSyncProblemCode, StartSyncProblemCode
from routiq_gql.sync import problems


@strawberry.interface(
    description="An outcome that a caller can act on. Each type of problem also has a `code` to branch on."
)
class Problem:
    message: str = strawberry.field(description="What happened, in one sentence.")
    what_to_do: str = strawberry.field(description="What to do, in one or two sentences.")
    retryable: bool = strawberry.field(
        description="Whether the same request may succeed later, with nothing else changed."
    )


@strawberry.type(description="Why the sync in the answer to `startSync` will not do as asked.")
class StartSyncProblem(Problem):
    code: StartSyncProblemCode = strawberry.field(description="The reason; programs may branch on it.")

    @classmethod
    def of(cls, problem: problems.StartProblem) -> Self:
        return cls(
            code=StartSyncProblemCode[problem.code.name],
            message=problem.message,
            what_to_do=problem.what_to_do,
            retryable=problem.retryable,
        )


@strawberry.type(description="Why `cancelSync` did not end the sync.")
class CancelSyncProblem(Problem):
    code: CancelSyncProblemCode = strawberry.field(description="The reason; programs may branch on it.")

    @classmethod
    def of(cls, problem: problems.CancelProblem) -> Self:
        return cls(
            code=CancelSyncProblemCode[problem.code.name],
            message=problem.message,
            what_to_do=problem.what_to_do,
            retryable=False,
        )
