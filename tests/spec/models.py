"""The models in ``SyncRow.tla`` and ``Mirror.tla``: the bounds in which TLC explores them, and the planted faults.

A planted fault is a switch of the model that is set to FALSE. TLC must find the invariant that it breaks, and the
actions of the shortest path to it. ``python -m tests.spec`` and the tests use the same lists.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Bounds:
    """An exploration of a model without a planted fault.

    Attributes:
        name: The bounds in words.
        constants: Those that differ from the ``.cfg`` file.
        states: The number of distinct states. A model with fewer has lost some of its actions.
        is_live: Whether TLC checks under fairness that a thing happens at last, instead of the invariants.
    """

    model: str
    name: str
    states: int
    constants: Mapping[str, str] = field(default_factory=dict)
    is_live: bool = False


@dataclass(frozen=True)
class Planted:
    """A fault that TLC must find.

    Attributes:
        fault: The fault in a sentence.
        switches: The switches that are set to FALSE.
        violated: The invariant or property that TLC must name.
        path: Actions that must occur in the counterexample, in this order.
        constants: As in ``Bounds``.
    """

    model: str
    fault: str
    switches: tuple[str, ...]
    violated: str
    path: tuple[str, ...]
    constants: Mapping[str, str] = field(default_factory=dict)
    is_live: bool = False


EXPLORED = (
    Bounds("SyncRow", "two syncs of two pages, two processes, two faults", 155_831),
    Bounds(
        "SyncRow",
        "two servers start two syncs of a page, two processes, a fault, a heartbeat",
        47_606,
        {"Servers": "2", "Pages": "1", "MaxFaults": "1", "MaxBeats": "1"},
    ),
    Bounds(
        "SyncRow", "every sync ends: a sync of two pages, two processes, two faults", 8_057, {"MaxSyncs": "1"}, True
    ),
    Bounds("SyncRow", "the epoch alone is enough", 767, {"MaxSyncs": "1", "MaxFaults": "1", "EndCondition": "FALSE"}),
    Bounds("Mirror", "three syncs of two rows", 43_139),
    Bounds("Mirror", "four syncs of a row", 20_531, {"Ids": "{i1}", "MaxSyncs": "4"}),
    Bounds("Mirror", "every draft is removed: three syncs of a row", 3_492, {"Ids": "{i1}"}, True),
    Bounds("Mirror", "a rollback that only repeats its condition", 4_045, {"Ids": "{i1}", "RollbackLocks": "FALSE"}),
    Bounds("Mirror", "a rollback that only locks the sync's row", 2_125, {"Ids": "{i1}", "RollbackRepeats": "FALSE"}),
)

_ONE_SYNC = {"MaxSyncs": "1"}

PLANTED = (
    Planted(
        "SyncRow",
        "A page is written without the fence",
        ("EpochCondition", "EndCondition"),
        "OnlyTheHolderWrites",
        ("Claim", "Cancel", "StorePage"),
        _ONE_SYNC,
    ),
    Planted(
        "SyncRow",
        "The fence compares no epoch, only whether the sync has ended",
        ("EpochCondition",),
        "OnlyTheHolderWrites",
        ("Claim", "Freeze", "PutBack", "Claim", "StorePage"),
        _ONE_SYNC,
    ),
    Planted(
        "SyncRow",
        "A run ends its sync without comparing the epoch",
        ("EndEpochCondition",),
        "OnlyTheHolderWrites",
        ("Claim", "Freeze", "PutBack", "Claim", "Fail"),
        _ONE_SYNC,
    ),
    Planted(
        "SyncRow",
        "No index limits an organization to one active sync",
        ("UniqueIndex",),
        "OneActiveSync",
        ("Look", "Look", "Insert", "Insert"),
        {"Servers": "2"},
    ),
    Planted(
        "SyncRow",
        "A checkpoint is committed before the rows of its page",
        ("OneTransaction",),
        "NoPageIsLost",
        ("Request", "StorePage"),
        _ONE_SYNC,
    ),
    Planted(
        "SyncRow",
        "A claim starts the list again",
        ("Resumes",),
        "NoPageIsReadAgain",
        ("StorePage", "Claim", "Request"),
        _ONE_SYNC,
    ),
    Planted(
        "SyncRow",
        "The percentage follows a total that grows",
        ("NeverLower",),
        "NothingGoesBack",
        ("StorePage", "StorePage"),
        _ONE_SYNC,
    ),
    Planted(
        "SyncRow",
        "No process takes up the syncs of a process that stays frozen",
        ("Rescues",),
        "EverySyncEnds",
        ("Fetch", "Freeze"),
        {"MaxSyncs": "1", "Pages": "1"},
        is_live=True,
    ),
    Planted(
        "Mirror",
        "A late page of a sync that has ended is merged",
        ("Fenced",),
        "NothingIsLeftOver",
        ("OpenDraft", "End", "RollbackBatch", "LateMerge"),
    ),
    Planted(
        "Mirror",
        "A page is compared with the open version instead of the base's",
        ("ComparesWithBase",),
        "TheDraftIsRight",
        ("Publish", "OpenDraft", "Merge", "Merge"),
    ),
    Planted(
        "Mirror",
        "A draft is opened over the rows of another",
        ("WaitsForRollback",),
        "TheDraftIsRight",
        ("Merge", "End", "OpenDraft"),
    ),
    Planted(
        "Mirror",
        "A running sync is rolled back",
        ("RollsBackEndedOnly",),
        "TheDraftIsRight",
        ("Merge", "RollbackBatch"),
    ),
    Planted(
        "Mirror",
        "A rollback reopens versions before it deletes the draft's",
        ("DeletesFirst",),
        "PrimaryKeyHolds",
        ("Publish", "Merge", "End", "RollbackBatch"),
    ),
    Planted(
        "Mirror",
        "A rollback forgets to reopen the versions that the draft closed",
        ("Reopens",),
        "NothingIsLeftOver",
        ("Publish", "Merge", "End", "RollbackBatch"),
    ),
    Planted(
        "Mirror",
        "Pruning deletes versions before it raises the oldest kept sync",
        ("RaisesFirst",),
        "KeptSyncsReadTheSame",
        ("Publish", "Merge", "Publish", "PruneVersion"),
    ),
    Planted(
        "Mirror",
        "Pruning deletes a version that a kept sync shows",
        ("KeepsOldest",),
        "KeptSyncsReadTheSame",
        ("Publish", "Merge", "PruneVersion"),
    ),
    Planted(
        "Mirror",
        "A reader of an older sync does not check that it is still kept",
        ("ReaderChecks",),
        "TheReaderReadsItsSync",
        ("OpenReader", "RaiseOldestKept", "PruneVersion", "ReadRow"),
    ),
    Planted(
        "Mirror",
        "A batch of a rollback neither locks the sync's row nor repeats its condition",
        ("RollbackLocks", "RollbackRepeats"),
        "PrimaryKeyHolds",
        ("ChooseRow", "RollbackBatch", "OpenDraft", "Merge", "ChangeRow"),
    ),
)
