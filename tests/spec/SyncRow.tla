------------------------------- MODULE SyncRow -------------------------------
(* The row of a sync in ``syncs``, and the processes that write to it.

   An organization starts syncs. Processes fetch a sync's job, claim the sync, request pages and store them, each with
   the checkpoint, and publish. Meanwhile a person cancels the sync, and processes are killed, frozen and restarted.
   Every action is a transaction of the product, or an event between two transactions. The comment at each action
   names the function that it models.

   Each switch is TRUE in the product. A switch that is FALSE takes one protection away, so that a test sees TLC find
   the fault that the protection prevents.                                                                        *)
EXTENDS Naturals, FiniteSets, TLC

CONSTANTS
    Processes,           \* worker processes, as model values
    Servers,             \* servers that start syncs
    MaxSyncs,            \* syncs that the organization starts, one after another
    Pages,               \* pages of a sync
    MaxFaults,           \* kills, freezes and interruptions of a run, in total
    MaxBeats,            \* heartbeats, in total
    EpochCondition,      \* change_running compares the epoch
    EndCondition,        \* change_running requires that the sync has not ended
    EndEpochCondition,   \* end_sync compares the epoch when the run itself ends the sync
    UniqueIndex,         \* the index one_active_sync_per_organization
    OneTransaction,      \* a page and its checkpoint are committed together
    Resumes,             \* a claim continues from the stored checkpoint
    NeverLower,          \* _change keeps a percentage that is higher than the new one
    Rescues              \* the patrol puts back jobs of silent workers, and queues active syncs without a job

Syncs == 1..MaxSyncs
Symmetry == Permutations(Processes)
Ended == {"completed", "failed", "cancelled"}
Done == Pages + 1  \* the percentage of a completed sync

VARIABLES
    row,        \* the rows of ``syncs``
    job,        \* of each sync's job: "none", "todo", "lost" (its worker is dead), or the process that works on it
    process,    \* the memory of each process: see Idle
    published,  \* ``mirrors.sync``: the sync that readers see; 0 before the first
    looking,    \* how many servers are between the SELECT and the INSERT of insert_sync
    faults,     \* faults so far
    beats,      \* heartbeats so far
    late,       \* the first write by a process that was not the holder: "none", "page" or "publication"
    again       \* whether a page was requested that is stored already

vars == <<row, job, process, published, looking, faults, beats, late, again>>

Unused == [status |-> "none", epoch |-> 0, version |-> 0, percentage |-> 0, place |-> 0, pages |-> {}]
New == [Unused EXCEPT !.status = "active", !.version = 1]

\* ``key``, ``epoch`` and ``place`` are those of the run: what it has read with its claim, and continued since. ``page``
\* is the page in flight, ``rows`` a page whose rows are still to be written (without OneTransaction only), and
\* ``asked`` whether the run has requested a page since it lost its claim.
Idle == [state |-> "idle", frozen |-> FALSE, key |-> 0, epoch |-> 0, place |-> 0, page |-> 0, rows |-> 0,
         asked |-> FALSE]

IsActive(k) == row[k].status = "active"
Active == {k \in Syncs : IsActive(k)}
Runs(p) == process[p].state = "running" /\ ~process[p].frozen
IsHolder(p) == IsActive(process[p].key) /\ process[p].epoch = row[process[p].key].epoch
IsAwake(p) == ~process[p].frozen
IsBusy(p) == process[p].state # "idle"
Max(a, b) == IF a > b THEN a ELSE b

Init ==
    /\ row = [k \in Syncs |-> Unused]
    /\ job = [k \in Syncs |-> "none"]
    /\ process = [p \in Processes |-> Idle]
    /\ published = 0 /\ looking = 0 /\ faults = 0 /\ beats = 0 /\ late = "none" /\ again = FALSE

-------------------------------------------------------------------------------
(* Start and cancel: any server process *)

\* database/syncs.py insert_sync: the SELECT of active_sync has found none.
Look ==
    /\ Active = {} /\ looking < Servers /\ row[MaxSyncs].status = "none"
    /\ looking' = looking + 1
    /\ UNCHANGED <<row, job, process, published, faults, beats, late, again>>

\* sync/engine.py begin_sync: the INSERT of insert_sync and the job, in a transaction. The index refuses a second
\* active sync; SyncService.start then returns the running one.
Insert ==
    /\ looking > 0
    /\ looking' = looking - 1
    /\ LET free == {k \in Syncs : row[k].status = "none"} IN
       IF free = {} \/ (UniqueIndex /\ Active # {})
       THEN UNCHANGED <<row, job>>
       ELSE LET k == CHOOSE k \in free : \A other \in free : k <= other IN
            /\ row' = [row EXCEPT ![k] = New]
            /\ job' = [job EXCEPT ![k] = "todo"]
    /\ UNCHANGED <<process, published, faults, beats, late, again>>

\* sync/endings.py end_from_outside, called by SyncService.cancel: end_sync without an epoch, and withdraw.
Cancel(k) ==
    /\ IsActive(k)
    /\ row' = [row EXCEPT ![k].status = "cancelled", ![k].epoch = @ + 1, ![k].version = @ + 1]
    /\ job' = [job EXCEPT ![k] = IF @ = "todo" THEN "none" ELSE @]
    /\ UNCHANGED <<process, published, looking, faults, beats, late, again>>

-------------------------------------------------------------------------------
(* A run: fetch, claim, pages, publication *)

\* engines/postgres/engine.py _run_job: Procrastinate has given the job to this process.
Fetch(p, k) ==
    /\ process[p].state = "idle" /\ ~process[p].frozen /\ job[k] = "todo"
    /\ job' = [job EXCEPT ![k] = p]
    /\ process' = [process EXCEPT ![p].state = "fetched", ![p].key = k]
    /\ UNCHANGED <<row, published, looking, faults, beats, late, again>>

\* database/syncs.py claim, called by SyncRunner.claim. None for a sync that has ended: the job is done.
Claim(p) ==
    /\ process[p].state = "fetched" /\ ~process[p].frozen
    /\ LET k == process[p].key IN
       IF IsActive(k)
       THEN /\ row' = [row EXCEPT ![k].epoch = @ + 1, ![k].version = @ + 1]
            /\ process' = [process EXCEPT ![p] = [Idle EXCEPT !.state = "running", !.key = k,
                   !.epoch = row[k].epoch + 1, !.place = IF Resumes THEN row[k].place ELSE 0]]
            /\ UNCHANGED job
       ELSE /\ job' = [job EXCEPT ![k] = "none"]
            /\ process' = [process EXCEPT ![p] = Idle]
            /\ UNCHANGED row
    /\ UNCHANGED <<published, looking, faults, beats, late, again>>

\* sync/source.py Source.pages: a request to Cliniko for the page behind the run's place.
Request(p) ==
    /\ Runs(p) /\ process[p].page = 0 /\ process[p].rows = 0 /\ process[p].place < Pages
    /\ process' = [process EXCEPT ![p].page = process[p].place + 1, ![p].asked = ~IsHolder(p)]
    /\ again' = (again \/ (IsHolder(p) /\ process[p].place + 1 \in row[process[p].key].pages)
                       \/ (~IsHolder(p) /\ process[p].asked))
    /\ UNCHANGED <<row, job, published, looking, faults, beats, late>>

\* sync/run.py StopRequested: a write matched no row, so the run ends. The job is done if it is this process's still;
\* otherwise the process exits at once, and is started again (engines/postgres/engine.py _leave_unless_ours).
Stop(p) ==
    LET k == process[p].key IN
    /\ job' = [job EXCEPT ![k] = IF @ = p THEN "none" ELSE @]
    /\ process' = [process EXCEPT ![p] = Idle]

\* database/syncs.py change_running: the condition of every write of a run.
Matches(p) ==
    LET r == row[process[p].key] IN
    (EpochCondition => r.epoch = process[p].epoch) /\ (EndCondition => r.status = "active")

Judged(p, kind) == IF late = "none" /\ ~IsHolder(p) THEN kind ELSE late

\* sync/run.py SyncRun.committing, called by Drafting.store: the fence, the page's rows and the checkpoint. A total
\* that grows makes the fraction fall: here each page gives a lower percentage than the page before it.
StorePage(p) ==
    /\ Runs(p) /\ process[p].page # 0
    /\ IF Matches(p)
       THEN LET k == process[p].key
                n == process[p].page IN
            /\ row' = [row EXCEPT ![k].place = n, ![k].version = @ + 1,
                                  ![k].pages = IF OneTransaction THEN @ \cup {n} ELSE @,
                                  ![k].percentage = IF NeverLower THEN Max(@, Done - n) ELSE Done - n]
            /\ process' = [process EXCEPT ![p].place = n, ![p].page = 0, ![p].rows = IF OneTransaction THEN 0 ELSE n]
            /\ late' = Judged(p, "page")
            /\ UNCHANGED job
       ELSE Stop(p) /\ UNCHANGED <<row, late>>
    /\ UNCHANGED <<published, looking, faults, beats, again>>

\* Not in the product: the rows of a page, in a transaction after its checkpoint.
StoreRows(p) ==
    /\ Runs(p) /\ process[p].rows # 0
    /\ IF Matches(p)
       THEN /\ row' = [row EXCEPT ![process[p].key].pages = @ \cup {process[p].rows}]
            /\ process' = [process EXCEPT ![p].rows = 0]
            /\ UNCHANGED job
       ELSE Stop(p) /\ UNCHANGED row
    /\ UNCHANGED <<published, looking, faults, beats, late, again>>

\* database/syncs.py end_sync with the run's epoch: the condition of both endings of a run.
MatchesEnd(p) ==
    LET r == row[process[p].key] IN
    (EndEpochCondition => r.epoch = process[p].epoch) /\ r.status = "active"

\* sync/run.py SyncRun.completing, called by Pipeline._store: end_sync, then publish.
Publish(p) ==
    /\ Runs(p) /\ process[p].place = Pages /\ process[p].page = 0 /\ process[p].rows = 0
    /\ IF MatchesEnd(p)
       THEN LET k == process[p].key IN
            /\ row' = [row EXCEPT ![k].status = "completed", ![k].epoch = @ + 1, ![k].version = @ + 1,
                                  ![k].percentage = Done]
            /\ published' = k
            /\ job' = [job EXCEPT ![k] = "none"]
            /\ process' = [process EXCEPT ![p] = Idle]
            /\ late' = Judged(p, "publication")
       ELSE Stop(p) /\ UNCHANGED <<row, published, late>>
    /\ UNCHANGED <<looking, faults, beats, again>>

\* sync/run.py SyncRun.fail, called by SyncRunner for an error of Cliniko, a time limit, or an internal error.
Fail(p) ==
    /\ Runs(p)
    /\ IF MatchesEnd(p)
       THEN LET k == process[p].key IN
            /\ row' = [row EXCEPT ![k].status = "failed", ![k].epoch = @ + 1, ![k].version = @ + 1]
            /\ job' = [job EXCEPT ![k] = "none"]
            /\ process' = [process EXCEPT ![p] = Idle]
            /\ late' = Judged(p, "failure")
       ELSE Stop(p) /\ UNCHANGED <<row, late>>
    /\ UNCHANGED <<published, looking, faults, beats, again>>

\* database/syncs.py touch_running, called by Heartbeat: the same conditions as a page. A lost run is only forgotten.
Beat(p) ==
    /\ Runs(p) /\ beats < MaxBeats /\ IsHolder(p)
    /\ beats' = beats + 1
    /\ row' = [row EXCEPT ![process[p].key].version = @ + 1]
    /\ UNCHANGED <<job, process, published, looking, faults, late, again>>

-------------------------------------------------------------------------------
(* Faults *)

\* engines/postgres/engine.py _run_job: the task was cancelled, by a stop request of a cancellation, by a process that
\* closes, or by a pause (SyncRunner._pause). The claim is released and the job handed over. No fault after the end.
Interrupt(p) ==
    /\ Runs(p)
    /\ IF IsActive(process[p].key) THEN faults < MaxFaults /\ faults' = faults + 1 ELSE UNCHANGED faults
    /\ job' = [job EXCEPT ![process[p].key] = IF @ = "none" THEN "none" ELSE "todo"]
    /\ process' = [process EXCEPT ![p] = Idle]
    /\ UNCHANGED <<row, published, looking, beats, late, again>>

\* kill -9 at any moment, or leave_process by the watchdog. What the process has committed stays, and its job belongs to
\* a number in the queue that sends no heartbeats any more. The service manager starts the process again.
Kill(p) ==
    /\ IsBusy(p) /\ faults < MaxFaults
    /\ faults' = faults + 1
    /\ process' = [process EXCEPT ![p] = Idle]
    /\ job' = [k \in Syncs |-> IF job[k] = p THEN "lost" ELSE job[k]]
    /\ UNCHANGED <<row, published, looking, beats, late, again>>

\* A process stops without ending: a suspended machine, a long pause of its memory. Another one stays awake.
Freeze(p) ==
    /\ IsBusy(p) /\ faults < MaxFaults /\ \A q \in Processes : ~process[q].frozen
    /\ faults' = faults + 1
    /\ process' = [process EXCEPT ![p].frozen = TRUE]
    /\ UNCHANGED <<row, job, published, looking, beats, late, again>>

\* It continues where it was, with the memory that it had: its next write is late if the sync was claimed meanwhile.
Thaw(p) ==
    /\ process[p].frozen
    /\ process' = [process EXCEPT ![p].frozen = FALSE]
    /\ UNCHANGED <<row, job, published, looking, faults, beats, late, again>>

\* engines/postgres/patrol.py Patrol: put_back of the jobs of silent workers (lock_stalled), and of jobs on which the
\* process does not work (_take_back).
PutBack(k) ==
    /\ Rescues /\ job[k] \notin {"none", "todo"}
    /\ \E q \in Processes : IsAwake(q)
    /\ IF job[k] = "lost" THEN TRUE ELSE ~IsAwake(job[k]) \/ ~IsBusy(job[k]) \/ process[job[k]].key # k
    /\ job' = [job EXCEPT ![k] = "todo"]
    /\ UNCHANGED <<row, process, published, looking, faults, beats, late, again>>

\* engines/postgres/patrol.py Patrol: enqueue of syncs_without_job.
EnqueueLost(k) ==
    /\ Rescues /\ IsActive(k) /\ job[k] = "none" /\ \E q \in Processes : IsAwake(q)
    /\ job' = [job EXCEPT ![k] = "todo"]
    /\ UNCHANGED <<row, process, published, looking, faults, beats, late, again>>

-------------------------------------------------------------------------------
Works(p) == Claim(p) \/ Request(p) \/ StorePage(p) \/ StoreRows(p) \/ Publish(p) \/ \E k \in Syncs : Fetch(p, k)
Rescue(k) == PutBack(k) \/ EnqueueLost(k)

Next ==
    \/ Look \/ Insert
    \/ \E k \in Syncs : Cancel(k) \/ Rescue(k)
    \/ \E p \in Processes : Works(p) \/ Fail(p) \/ Beat(p) \/ Interrupt(p) \/ Kill(p) \/ Freeze(p) \/ Thaw(p)

Spec == Init /\ [][Next]_vars

\* A process that is awake continues its work, and the patrol makes its rounds. A frozen process may stay frozen.
FairSpec ==
    /\ Spec
    /\ \A p \in Processes : WF_vars(Works(p))
    /\ \A k \in Syncs : WF_vars(Rescue(k))

-------------------------------------------------------------------------------
(* Invariants *)

TypeOK ==
    /\ row \in [Syncs -> [status : {"none", "active"} \cup Ended, epoch : Nat, version : Nat, percentage : 0..Done,
                          place : 0..Pages, pages : SUBSET (1..Pages)]]
    /\ job \in [Syncs -> {"none", "todo", "lost"} \cup Processes]
    /\ published \in 0..MaxSyncs

OneActiveSync == Cardinality(Active) <= 1

OnlyTheHolderWrites == late = "none"

\* The checkpoint never names a page whose rows are not stored, and a completed sync has all pages.
NoPageIsLost ==
    \A k \in Syncs : 1..row[k].place \subseteq row[k].pages /\ (row[k].status = "completed" => row[k].place = Pages)

\* A holder requests no page that is stored, and a process that has lost its claim at most the page in flight.
NoPageIsReadAgain == ~again

\* Readers see a completed sync, and the newest one.
PublishedIsCompleted ==
    /\ published # 0 => row[published].status = "completed"
    /\ \A k \in Syncs : row[k].status = "completed" => k <= published

(* Properties of steps *)

EndedStaysEnded == [][\A k \in Syncs : row[k].status \in Ended => row'[k] = row[k]]_vars

NothingGoesBack ==
    [][/\ \A k \in Syncs :
            /\ row'[k].percentage >= row[k].percentage
            /\ row'[k].place >= row[k].place
            /\ row'[k] # row[k] => row'[k].version > row[k].version
       /\ published' >= published]_vars

(* Liveness *)

EverySyncEnds == \A k \in Syncs : IsActive(k) ~> row[k].status \in Ended
===============================================================================
