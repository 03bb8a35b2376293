"""Syncs in many processes on one PostgreSQL. Loaded for PostgreSQL's URLs only, as it needs the extra ``postgres``.

The steps of a sync are the same as with SQLite; what is here decides which process runs it, and who hears of it.
"""

from routiq_gql.engines.postgres.bus import PostgresBus
from routiq_gql.engines.postgres.engine import DistributedEngine
from routiq_gql.engines.postgres.pacing import shared_pacers

__all__ = ["DistributedEngine", "PostgresBus", "shared_pacers"]
