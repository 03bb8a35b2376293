"""Changes between certain requests: right before or right after a response is computed."""

from routiq_gql.emulator import Clinic, Emulator, RecordedRequest
from tests.emulator.conftest import NOW, Serve


async def test_a_change_happens_before_or_after_a_certain_request(clinic: Clinic, serve: Serve) -> None:
    """The second count shows the patient who was added before it; the next shows who was archived after that."""
    emulator = Emulator(clinic)
    client = await serve(emulator)

    async def count() -> int:
        total: int = (await client.get("/patients", params={"per_page": "1"})).json()["total_entries"]
        return total

    emulator.script.before(2, lambda: clinic.insert_patient(at=NOW))
    emulator.script.after(2, lambda: clinic.archive("patients", "9", at=NOW))
    emulator.script.after(2, lambda: clinic.archive("patients", "10", at=NOW))
    assert [await count() for _ in range(4)] == [24, 25, 23, 23]
    assert emulator.script.waiting == 0


async def test_a_script_may_count_the_requests_for_one_list(clinic: Clinic, serve: Serve) -> None:
    """A change waits for the second request for its own list, from when it was added, and happens once."""
    emulator = Emulator(clinic)
    client = await serve(emulator)
    seen: list[int] = []
    await client.get("/attendees")
    emulator.script.before(2, lambda: seen.append(len(emulator.requests)), resource="attendees")
    for path in ("/attendees", "/patients", "/patients", "/attendees", "/attendees"):
        await client.get(path)
    assert seen == [5]
    emulator.script.after(1, lambda: seen.append(0))
    emulator.script.clear()
    await client.get("/attendees")
    assert (seen, emulator.script.waiting) == ([5], 0)


async def test_hooks_are_called_around_every_response(clinic: Clinic, serve: Serve) -> None:
    """One hook runs before a response is computed and one after, which then knows its status."""
    emulator = Emulator(clinic)
    client = await serve(emulator)
    calls: list[tuple[str, str, int | None]] = []

    def before(request: RecordedRequest) -> None:
        calls.append(("before", request.resource, request.status))
        clinic.remove("patients", "9")

    emulator.before_request = before
    emulator.after_request = lambda request: calls.append(("after", request.resource, request.status))
    assert (await client.get("/patients", params={"per_page": "1"})).json()["total_entries"] == 23
    assert calls == [("before", "patients", None), ("after", "patients", 200)]
