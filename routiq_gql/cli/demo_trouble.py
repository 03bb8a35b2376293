"""``/demo/trouble``: lets the demo's page make its emulated Cliniko misbehave.

Only ``routiq-gql demo`` has these routes. They reach the emulator and the engine of the same process, and their effects
end with the demo. An affected sync reports the problem and ends as any other sync would.
"""

import json
import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from routiq_gql.cli.demo_changes import ARCHIVED, BOOKED, PatientChanges
from routiq_gql.connections.service import ConnectionService
from routiq_gql.emulator import EMULATED_API_KEY, Clinic, Emulator, Fault, FaultKind, RecordedRequest
from routiq_gql.engines.embedded import EmbeddedEngine
from routiq_gql.errors import BadInput
from routiq_gql.security.viewer import check_organization_id

TROUBLE_PATH = "/demo/trouble"
PATIENTS = "patients"

SLOW_ANSWERS, SLOW_SECONDS = 6, 2.5
RATE_LIMIT_SECONDS = 15
MOVING_ANSWERS = 12
STOP_SECONDS = 8
"""The page reports missing updates after five seconds."""


@dataclass(frozen=True, slots=True)
class Trouble:
    """One button.

    Attributes:
        said: The page's message afterwards.
        make: May return that a sync has to follow nevertheless.
        needs_sync: Whether only a running sync is affected.
    """

    title: str
    text: str
    said: str
    make: Callable[[], object]
    needs_sync: bool = True


def trouble_routes(emulator: Emulator, engine: EmbeddedEngine, connections: ConnectionService) -> list[Route]:
    """``GET /demo/trouble`` lists the kinds, ``POST`` with ``{"kind": "slow"}`` starts one.

    With ``organization_id`` in the body, a kind that can't affect the organization's syncs is refused. ``needs_sync``
    in the response says whether only a running sync shows the effect.
    """
    troubles = _troubles(emulator, engine)

    async def list_kinds(_request: Request) -> JSONResponse:
        kinds = [
            {"name": name, "title": one.title, "text": one.text, "needs_sync": one.needs_sync}
            for name, one in troubles.items()
        ]
        return JSONResponse({"kinds": kinds, "api_key": EMULATED_API_KEY})

    async def make(request: Request) -> JSONResponse:
        body = _object_in(await request.body())
        trouble = troubles.get(str(body.get("kind")))
        if trouble is None:
            raise BadInput(f"“kind” must be one of {', '.join(troubles)}.")
        organization_id = body.get("organization_id")
        if organization_id is not None and trouble.needs_sync:
            check_organization_id(str(organization_id))
            if not await connections.has_enabled(str(organization_id)):
                raise BadInput(
                    f"{organization_id} is not connected to Cliniko, so none of its syncs can meet this trouble. "
                    "Connect it first, with the API key of the emulated clinic."
                )
        is_sync_due = trouble.make() is True
        return JSONResponse({"message": trouble.said, "needs_sync": trouble.needs_sync or is_sync_due})

    return [Route(TROUBLE_PATH, list_kinds, methods=["GET"]), Route(TROUBLE_PATH, make, methods=["POST"])]


def _object_in(body: bytes) -> dict[str, object]:
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _troubles(emulator: Emulator, engine: EmbeddedEngine) -> dict[str, Trouble]:
    def arm(*faults: Fault) -> Callable[[], None]:
        return lambda: emulator.faults.add(*faults)

    moving, stopping = MovingRows(emulator.clinic), WorkerStop(engine)
    changes = PatientChanges(emulator.clinic)

    def after_request(request: RecordedRequest) -> None:
        moving(request)
        stopping(request)

    emulator.after_request = after_request

    def behave() -> bool:
        emulator.faults.clear()
        stopping.is_due = False
        return any([moving.undo(), changes.undo()])

    return {
        "patients_change": Trouble(
            "Patients change",
            f"{BOOKED} patients book and become active, {ARCHIVED} active ones are archived.",
            f"{BOOKED} patients have booked, {ARCHIVED} were archived. The next sync shows who they are.",
            changes.make,
        ),
        "slow": Trouble(
            "Slow source",
            f"The next {SLOW_ANSWERS} answers come {SLOW_SECONDS} s late.",
            "Cliniko answers slowly for a while. The sync takes longer and loses nothing.",
            arm(Fault(FaultKind.SLOW, times=SLOW_ANSWERS, seconds=SLOW_SECONDS)),
        ),
        "rate_limit": Trouble(
            "Rate limit",
            f"Cliniko asks the sync to wait {RATE_LIMIT_SECONDS} s.",
            "The next answer says that the rate limit is reached. The sync counts down and resumes.",
            arm(Fault(FaultKind.RATE_LIMIT, seconds=RATE_LIMIT_SECONDS)),
        ),
        "cut": Trouble(
            "Cut answers",
            "One answer breaks off, the next one is half of its JSON.",
            "The next two answers are cut short. The sync throws them away and asks again.",
            arm(Fault(FaultKind.DROP_INSIDE), Fault(FaultKind.CUT_JSON, request_number=2)),
        ),
        "moving_rows": Trouble(
            "Rows that move",
            "Patients are added, archived and brought back while the list is read.",
            f"Patients come and go between the next {MOVING_ANSWERS} responses. Those who stay are found.",
            moving.start,
        ),
        "key_refused": Trouble(
            "Key refused",
            "Cliniko does not accept the API key once.",
            "The next answer refuses the key. The sync fails at once and says what to do.",
            arm(Fault(FaultKind.STATUS_401)),
        ),
        "worker_stops": Trouble(
            "Stop the worker",
            f"The worker that runs syncs stops for {STOP_SECONDS} s, as if it had been killed.",
            "The worker stops at the next page. The sync resumes at its last stored page when the worker is back.",
            stopping.arm,
        ),
        "behave": Trouble(
            "Behave again",
            "Forget all of the above, and undo the changes of patients.",
            "Cliniko behaves again, with the patients that it had at first. The next sync shows them.",
            behave,
            needs_sync=False,
        ),
    }


class WorkerStop:
    """Stops the engine in the middle of a sync: while it requests the next page of rows."""

    def __init__(self, engine: EmbeddedEngine) -> None:
        self.is_due = False
        self._engine = engine

    def arm(self) -> None:
        """Stop at the next page."""
        self.is_due = True

    def __call__(self, request: RecordedRequest) -> None:
        is_page = request.values("per_page") not in ([], ["1"])  # a check of access requests one row
        if self.is_due and is_page:
            self.is_due = False
            self._engine.pause(timedelta(seconds=STOP_SECONDS))


class MovingRows:
    """Changes the list of patients after each of the next responses that include it, then restores the hidden patients.

    Active patients stay, so the sync's results still match the clinic.
    """

    def __init__(self, clinic: Clinic) -> None:
        self._clinic = clinic
        self._left = 0
        self._archived: str | None = None
        self._added: list[str] = []

    def start(self) -> None:
        """Move rows from now on."""
        self._left = MOVING_ANSWERS

    def undo(self) -> bool:
        """Stop and restore the list; returns whether patients had been added."""
        self._left = 0
        self._bring_back()
        for patient_id in self._added:
            self._clinic.remove(PATIENTS, patient_id)
        had_added = bool(self._added)
        self._added.clear()
        return had_added

    def __call__(self, request: RecordedRequest) -> None:
        if request.resource != PATIENTS:
            return
        self._bring_back()
        if self._left:
            self._left -= 1
            self._archived = str(random.choice(self._inactive()))
            self._clinic.archive(PATIENTS, self._archived)
            self._added.append(self._clinic.insert_patient(first_name="Newly", last_name="Added"))

    def _bring_back(self) -> None:
        if self._archived is not None:
            self._clinic.unarchive(PATIENTS, self._archived)
            self._archived = None

    def _inactive(self) -> list[int | None]:
        active = self._clinic.expected.active if self._clinic.expected else frozenset()
        return [
            row["id"]
            for row in self._clinic.patients.rows()
            if row["archived_at"] is None and row["deleted_at"] is None and str(row["id"]) not in active
        ]
