"""The turns that a look takes at once: they are used up by its requests, and lost when Cliniko's limit is reached."""

import asyncio

from hypothesis import given
from hypothesis import strategies as st

from routiq_gql.cliniko.pacing import OnWait, Pacer
from routiq_gql.cliniko.rationing import Ration, RationedPacer

MANY = 10**9
STEPS = st.one_of(st.integers(1, 4), st.sampled_from(["send", "send", "send", "hold"]))
"""Turns that are taken at once, a request, or a rate limit."""


class NotedPacer(Pacer):
    """A pace without waits that counts the turns."""

    def __init__(self) -> None:
        super().__init__(0)
        self.turns = 0

    async def wait_turn(self, on_wait: OnWait | None = None) -> None:
        self.turns += 1

    def hold(self, seconds: float) -> None:
        """Do not wait."""


@given(st.lists(STEPS, max_size=20))
def test_each_request_has_a_turn_of_its_own(steps: list[int | str]):
    """A request uses a turn that was taken before, or takes one and is counted. After a rate limit none is left."""
    asyncio.run(_requests(steps))


async def _requests(steps: list[int | str]) -> None:
    pacer, ration = NotedPacer(), Ration(MANY)
    rationed = RationedPacer(pacer, ration)
    turns = counted = taken = 0
    for step in steps:
        if isinstance(step, int):
            await rationed.wait_turns(step)
            turns, taken = turns + step, step
        elif step == "hold":
            rationed.hold(1)
            taken = 0
        else:
            await rationed.wait_turn()
            if taken:
                taken -= 1
            else:
                turns, counted = turns + 1, counted + 1
        assert (pacer.turns, len(ration.sent)) == (turns, counted)
