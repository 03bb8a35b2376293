-------------------------------- MODULE Mirror --------------------------------
(* The versions of a mirrored list, and the organization's row in ``mirrors``.

   A sync opens its draft, merges pages into it, and is published or ends without a publication. A draft that was not
   published is rolled back, a row in each transaction, by housekeeping and by the next sync at once. Pruning deletes
   versions, a row in each transaction. A reader reads a kept sync, a row in each transaction.

   A page is an interval of ids with a single row. Cliniko may answer anything at any time: a row with some content, a
   row that can't be read, or no row. Pages come in any order and may come again.

   Each switch is TRUE in the product, except for the last one; see SyncRow.                                       *)
EXTENDS Naturals, FiniteSets, TLC

CONSTANTS
    Ids,                   \* the ids of the list's rows, as model values
    Contents,              \* the contents of a readable row, as model values
    MaxSyncs,              \* syncs, one after another
    Fenced,                \* change_running: a page of a sync that has ended is not merged
    ComparesWithBase,      \* merge_page compares with the version that is visible at the base
    WaitsForRollback,      \* open_draft opens no draft while the rows of another are stored
    RollsBackEndedOnly,    \* rollback_batch does nothing while the draft's sync is running
    DeletesFirst,          \* rollback_batch reopens versions only when the draft's versions are deleted
    Reopens,               \* rollback_batch reopens the versions that the draft has closed
    RaisesFirst,           \* prune_versions deletes only what lies before the stored oldest_kept
    KeepsOldest,           \* prune_versions keeps the versions that the oldest kept sync shows
    ReaderChecks,          \* a reader of an older sync checks oldest_kept in each transaction
    RollbackLocks,         \* rollback_batch locks the sync's row, so that two never overlap
    RollbackRepeats        \* rollback_batch repeats the condition on the rows that it changes

Syncs == 1..MaxSyncs
Current == MaxSyncs + 1   \* ``to_sync`` of a version that has not ended
Absent == "absent"        \* no row
Stub == "stub"            \* a row of which only the id is known
Answers == Contents \cup {Absent, "unreadable"}
Nothing == [id \in Ids |-> Absent]
Symmetry == Permutations(Ids) \cup Permutations(Contents)

VARIABLES
    versions,    \* the rows of the list's table: [id, from, to, content]
    published,   \* ``mirrors.sync``
    oldestKept,  \* ``mirrors.oldest_kept``
    writing,     \* ``mirrors.writing``: the sync whose draft is stored; 0 without a draft
    status,      \* of each sync
    late,        \* a process that still works on a sync that has ended: [sync, base]; sync 0 if there is none
    chosen,      \* the row that a batch of rollback has chosen and not yet changed; {} if there is none
    draft,       \* by id, the content that the draft must show: history, which no action depends on
    shown,       \* by published sync and id, the content that readers saw at the publication: history
    reader,      \* the sync that the reader reads; 0 while it does not read
    misread      \* whether the reader has ever read another content than the sync's

vars == <<versions, published, oldestKept, writing, status, late, chosen, draft, shown, reader, misread>>

NoProcess == [sync |-> 0, base |-> 0]

Init ==
    /\ versions = {} /\ published = 0 /\ oldestKept = 0 /\ writing = 0
    /\ status = [n \in Syncs |-> "none"]
    /\ late = NoProcess /\ chosen = {}
    /\ draft = Nothing /\ shown = [n \in 0..MaxSyncs |-> Nothing]
    /\ reader = 0 /\ misread = FALSE

Active == {n \in Syncs : status[n] = "active"}
Kept == {n \in Syncs : status[n] = "completed" /\ oldestKept <= n /\ n <= published}  \* is_kept_sync

\* database/mirror.py visible: the contents that are visible at a published sync; at most one, see the invariant.
Visible(n, id) == {v.content : v \in {v \in versions : v.id = id /\ v.from <= n /\ v.to > n}}
Seen(n, id) == IF Visible(n, id) = {} THEN Absent ELSE CHOOSE content \in Visible(n, id) : TRUE

-------------------------------------------------------------------------------
(* A sync *)

\* sync/engine.py begin_sync
Begin ==
    /\ Active = {}
    /\ \E n \in Syncs :
        /\ status[n] = "none" /\ \A m \in Syncs : m < n => status[m] # "none"
        /\ status' = [status EXCEPT ![n] = "active"]
    /\ UNCHANGED <<versions, published, oldestKept, writing, late, chosen, draft, shown, reader, misread>>

\* database/publishing.py open_draft
OpenDraft ==
    /\ \E n \in Active :
        /\ (WaitsForRollback => writing = 0) /\ writing # n /\ published < n
        /\ writing' = n
    /\ draft' = shown[published]
    /\ UNCHANGED <<versions, published, oldestKept, status, late, chosen, shown, reader, misread>>

\* database/merging.py _states: the versions of a row that matter to a draft. ``select_among`` reads the versions that
\* were not closed at the base; the draft's versions begin with it, and all others are the base's.
BaseOf(base, sync, id) ==
    IF ComparesWithBase
    THEN {v \in versions : v.id = id /\ v.to > base /\ v.from # sync}
    ELSE {v \in versions : v.id = id /\ v.to = Current /\ v.from # sync}
OwnOf(base, sync, id) == {v \in versions : v.id = id /\ v.to > base /\ v.from = sync}

Closed(found, sync) == {[v EXCEPT !.to = sync] : v \in found}
Reopened(found) == {[v EXCEPT !.to = Current] : v \in found}
IsOpen(found) == \E v \in found : v.to = Current
Shows(found, content) == \E v \in found : v.content = content

\* database/merging.py _Writes: the versions after an answer for this id.
Merged(base, sync, id, answer) ==
    LET of == BaseOf(base, sync, id)
        own == OwnOf(base, sync, id)
        others == versions \ (of \cup own)
        new(content) == {[id |-> id, from |-> sync, to |-> Current, content |-> content]}
        isVisible == own # {} \/ IsOpen(of)
    IN  CASE answer = Absent ->  \* hide
                IF isVisible THEN others \cup Closed(of, sync) ELSE others \cup of
          [] answer = "unreadable" ->  \* keep
                IF isVisible THEN versions
                ELSE IF of # {} THEN others \cup Reopened(of)
                ELSE others \cup new(Stub)
          [] OTHER ->  \* show
                IF Shows(of, answer) THEN others \cup Reopened(of)
                ELSE IF Shows(own, answer) THEN versions
                ELSE others \cup Closed(of, sync) \cup new(answer)

\* The content that the draft must show after that answer. An unreadable row keeps the content that is stored.
Expected(id, answer) ==
    IF answer # "unreadable" THEN answer
    ELSE IF draft[id] # Absent THEN draft[id]
    ELSE IF shown[published][id] # Absent THEN shown[published][id]
    ELSE Stub

\* sync/drafting.py Drafting.store: change_running, then merge_page.
Merge(id, answer) ==
    /\ \E n \in Active : writing = n /\ versions' = Merged(published, n, id, answer)
    /\ draft' = [draft EXCEPT ![id] = Expected(id, answer)]
    /\ UNCHANGED <<published, oldestKept, writing, status, late, chosen, shown, reader, misread>>

\* The same by a process whose sync has ended meanwhile: change_running finds no row, and the process stops.
LateMerge(id, answer) ==
    /\ late # NoProcess
    /\ versions' = IF Fenced THEN versions ELSE Merged(late.base, late.sync, id, answer)
    /\ late' = NoProcess
    /\ UNCHANGED <<published, oldestKept, writing, status, chosen, draft, shown, reader, misread>>

\* sync/pipeline.py Pipeline._store: end_sync and database/publishing.py publish, in a transaction.
Publish ==
    /\ \E n \in Active :
        /\ writing = n
        /\ published' = n
        /\ oldestKept' = IF published = 0 THEN n ELSE oldestKept
        /\ shown' = [shown EXCEPT ![n] = draft]
        /\ status' = [status EXCEPT ![n] = "completed"]
    /\ writing' = 0 /\ draft' = Nothing
    /\ UNCHANGED <<versions, late, chosen, reader, misread>>

\* sync/endings.py end_run and end_from_outside, failed or cancelled. The process may still hold a page.
End ==
    /\ \E n \in Active :
        /\ status' = [status EXCEPT ![n] = "ended"]
        /\ late' = IF writing = n THEN [sync |-> n, base |-> published] ELSE late
        /\ draft' = IF writing = n THEN Nothing ELSE draft
    /\ UNCHANGED <<versions, published, oldestKept, writing, chosen, shown, reader, misread>>

-------------------------------------------------------------------------------
(* Rollback: housekeeping, and draft_of of the next sync *)

Written == {v \in versions : v.from = writing}
ClosedBy == {v \in versions : v.to = writing}  \* database/mirror.py closed_by
MayRollBack == writing # 0 /\ (RollsBackEndedOnly => status[writing] # "active")
Deletable == IF DeletesFirst \/ ClosedBy = {} THEN Written ELSE {}
Reopenable == IF Reopens /\ (~DeletesFirst \/ Written = {}) THEN ClosedBy ELSE {}

\* database/rollback.py rollback_batch with a size of 1.
RollbackBatch ==
    /\ MayRollBack
    /\ \/ \E v \in Deletable : versions' = versions \ {v} /\ UNCHANGED writing
       \/ \E v \in Reopenable : versions' = (versions \ {v}) \cup Reopened({v}) /\ UNCHANGED writing
       \/ Deletable = {} /\ Reopenable = {} /\ writing' = 0 /\ UNCHANGED versions
    /\ UNCHANGED <<published, oldestKept, status, late, chosen, draft, shown, reader, misread>>

\* Not in the product: a batch that another process overtakes between its subquery and its change.
ChooseRow ==
    /\ ~RollbackLocks /\ MayRollBack /\ chosen = {}
    /\ chosen' \in {{[id |-> v.id, from |-> v.from, sync |-> writing]} : v \in Deletable \cup Reopenable}
    /\ UNCHANGED <<versions, published, oldestKept, writing, status, late, draft, shown, reader, misread>>

ChangeRow ==
    /\ \E row \in chosen :
        LET found == {v \in versions : v.id = row.id /\ v.from = row.from}
            meant == {v \in found : RollbackRepeats => (v.from = row.sync \/ v.to = row.sync)}
        IN versions' = IF row.from = row.sync THEN versions \ meant ELSE (versions \ meant) \cup Reopened(meant)
    /\ chosen' = {}
    /\ UNCHANGED <<published, oldestKept, writing, status, late, draft, shown, reader, misread>>

-------------------------------------------------------------------------------
(* Pruning *)

\* database/version_pruning.py raise_oldest_kept. Ages are left to chance: any completed sync may become the oldest.
RaiseOldestKept ==
    /\ \E n \in Kept : n > oldestKept /\ oldestKept' = n
    /\ UNCHANGED <<versions, published, writing, status, late, chosen, draft, shown, reader, misread>>

\* database/version_pruning.py prune_versions with a size of 1.
PruneVersion ==
    /\ LET limits == IF RaisesFirst THEN {oldestKept} ELSE Kept \cup {oldestKept}
           isOver(v, limit) == v.to <= (IF KeepsOldest THEN limit ELSE limit + 1)
       IN \E limit \in limits : \E v \in versions :
            /\ v.to # Current /\ isOver(v, limit)
            /\ versions' = versions \ {v}
    /\ UNCHANGED <<published, oldestKept, writing, status, late, chosen, draft, shown, reader, misread>>

-------------------------------------------------------------------------------
(* A reader of an older sync, row by row. Reading the published sync is the case of a single transaction. *)

OpenReader ==
    /\ reader = 0 /\ reader' \in Kept
    /\ UNCHANGED <<versions, published, oldestKept, writing, status, late, chosen, draft, shown, misread>>

\* The sync is no longer kept: the reader is refused, and ends.
Refuse ==
    /\ reader # 0 /\ (reader \notin Kept \/ ~ReaderChecks)
    /\ reader' = 0
    /\ UNCHANGED <<versions, published, oldestKept, writing, status, late, chosen, draft, shown, misread>>

ReadRow(id) ==
    /\ reader # 0 /\ (ReaderChecks => reader \in Kept)
    /\ Visible(reader, id) # (IF shown[reader][id] = Absent THEN {} ELSE {shown[reader][id]})
    /\ misread' = TRUE
    /\ UNCHANGED <<versions, published, oldestKept, writing, status, late, chosen, draft, shown, reader>>

-------------------------------------------------------------------------------
Next ==
    \/ Begin \/ OpenDraft \/ Publish \/ End
    \/ \E id \in Ids, answer \in Answers : Merge(id, answer) \/ LateMerge(id, answer)
    \/ RollbackBatch \/ ChooseRow \/ ChangeRow
    \/ RaiseOldestKept \/ PruneVersion
    \/ OpenReader \/ Refuse \/ \E id \in Ids : ReadRow(id)

Spec == Init /\ [][Next]_vars

\* Housekeeping makes its rounds.
FairSpec == Spec /\ WF_vars(RollbackBatch)

-------------------------------------------------------------------------------
(* Invariants *)

TypeOK ==
    /\ versions \subseteq [id : Ids, from : Syncs, to : Syncs \cup {Current}, content : Contents \cup {Stub}]
    /\ published \in 0..MaxSyncs /\ oldestKept \in 0..published /\ writing \in 0..MaxSyncs

\* The primary key of the table, (organization, list, id, to_sync): no statement is refused.
PrimaryKeyHolds == \A v, w \in versions : v.id = w.id /\ v.to = w.to => v = w

OneVersionIsVisible == \A n \in Kept, id \in Ids : Cardinality(Visible(n, id)) <= 1

\* Every kept sync reads as at its publication, during and after later drafts, rollbacks and prunings.
KeptSyncsReadTheSame == \A n \in Kept, id \in Ids : Seen(n, id) = shown[n][id]

TheReaderReadsItsSync == ~misread

\* The draft's open versions are the content that the answers of Cliniko, in their order, add up to.
TheDraftIsRight ==
    \A n \in Active : writing = n =>
        \A id \in Ids : {v.content : v \in {v \in versions : v.id = id /\ v.to = Current}}
                        = (IF draft[id] = Absent THEN {} ELSE {draft[id]})

\* Without a draft there is no version that an unpublished sync has written or closed.
NothingIsLeftOver ==
    writing = 0 => \A v \in versions : v.from <= published /\ (v.to <= published \/ v.to = Current)

\* ``mirrors`` names completed syncs only.
TheMirrorNamesCompletedSyncs == \A n \in {published, oldestKept} : n # 0 => status[n] = "completed"

(* Liveness *)

EveryDraftIsRemoved == \A n \in Syncs : (writing = n /\ status[n] = "ended") ~> writing # n
===============================================================================
