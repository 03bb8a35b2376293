"""Plans of syncs for tests of checkpoints."""

from datetime import UTC, datetime

from routiq_gql.cliniko import Horizon
from routiq_gql.sync.model import SyncMode
from routiq_gql.sync.plan import Plan

PLAN = Plan(
    mode=SyncMode.INCREMENTAL,
    mark=datetime(2026, 11, 26, 4, 45, 11, tzinfo=UTC),
    taken_at=datetime(2026, 11, 26, 4, 55, 11, 894000, tzinfo=UTC),
    since=datetime(2026, 11, 26, 4, 30, tzinfo=UTC),
    horizon=Horizon(datetime(2024, 11, 26, tzinfo=UTC)),
    history_days=730,
    is_baseline=False,
    account="5a2f",
)
FULL_PLAN = Plan(
    mode=SyncMode.FULL,
    mark=datetime(2026, 11, 26, 4, 45, 11, tzinfo=UTC),
    taken_at=datetime(2026, 11, 26, 4, 55, 11, 894000, tzinfo=UTC),
    since=None,
    horizon=Horizon(datetime(2026, 10, 27, tzinfo=UTC), datetime(2026, 12, 27, tzinfo=UTC)),
    history_days=None,
    is_baseline=True,
    account="5a2f",
)
