"""The texts of a sync's log."""

from routiq_gql.runtime import Runtime
from routiq_gql.security.viewer import LOCAL_OPERATOR


async def messages(runtime: Runtime, sync_id: str) -> list[str]:
    """Every line of the log, in order."""
    return [line.message for line in await runtime.syncs.log(LOCAL_OPERATOR, sync_id, after=0)]
