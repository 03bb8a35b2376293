"""Lets the latencies, faults and other programs of a ``Weather`` happen, in virtual time."""

import asyncio
import time
from collections.abc import Callable
from math import exp, pi, sin
from random import Random

import httpx

from routiq_gql.emulator import Emulator, Fault
from routiq_gql.emulator.access import RequestLimit
from tests.simulation.calibration.population import FAULT_KINDS, Weather
from tests.simulation.transport import FIRST_PORT, Network

OTHERS_RUN_SECONDS = 180
"""How long another program with the same key runs, at a typical run."""
OUTAGE_PERIOD_SECONDS = 600


class WeatherNetwork(Network):
    """The network of a clinic.

    Attributes:
        before: Called before each request, with the number of those before it.
        per_page: Rows of a full page.
    """

    def __init__(self, emulators: list[Emulator], weather: Weather, per_page: int, chance: Random) -> None:
        super().__init__(emulators)
        self.per_page = per_page
        self.before: Callable[[int], None] = lambda _number: None
        self._weather = weather
        self._chance = chance
        self._phase = chance.random()
        self._requests = 0

    async def exchange(self, request: httpx.Request) -> httpx.Response:
        self.before(self._requests)
        self._requests += 1
        weather, chance = self._weather, self._chance
        now = time.monotonic()
        is_out = self._is_out(now)
        if is_out or chance.random() < weather.fault_share:
            self.emulators[FIRST_PORT].faults.add(self._fault(is_out))
        seconds = self._seconds(now)
        await asyncio.sleep(seconds * weather.short)
        response = await super().exchange(request)
        rows = getattr(response.stream, "_body", b"").count(b'"created_at"')
        await asyncio.sleep(seconds * (1 - weather.short) * rows / self.per_page)
        return response

    def _seconds(self, now: float) -> float:
        weather, chance = self._weather, self._chance
        seconds = weather.latency * exp(chance.gauss(0, weather.jitter))
        seconds *= exp(weather.drift * sin(2 * pi * (now / weather.period + self._phase)))
        if chance.random() < weather.slow_share:
            seconds *= 3 + 7 * chance.random()
        return seconds

    def _fault(self, is_out: bool) -> Fault:
        kinds = FAULT_KINDS[:3] if is_out else FAULT_KINDS
        (kind,) = self._chance.choices([one for one, _ in kinds], [share for _, share in kinds])
        return Fault(kind, seconds=2 + 18 * self._chance.random())

    def _is_out(self, now: float) -> bool:
        """Whether this is within an outage; there is at most one in ten minutes."""
        part, second = divmod(now, OUTAGE_PERIOD_SECONDS)
        chance = Random(f"outage {self._phase} {part}")
        if chance.random() >= self._weather.outages / 6:
            return False
        begins = chance.random() * OUTAGE_PERIOD_SECONDS
        return begins <= second < begins + 3 + 40 * chance.random()


class SharedLimit(RequestLimit):
    """Cliniko's limit, shared with another program that uses the same key."""

    def __init__(self, weather: Weather, chance: Random) -> None:
        super().__init__(weather.limit)
        self._weather = weather
        self._chance = chance
        self._asked_at = 0.0
        self._changes_at = 0.0
        self._runs = False
        self._taken = 0.0

    def refuse_for(self, user_id: str) -> float | None:
        """Count a request, and those of the other program since the one before."""
        now = time.monotonic()
        while self._weather.others_share and now >= self._changes_at:
            self._runs = self._chance.random() < self._weather.others_share
            self._changes_at += self._chance.expovariate(1 / OTHERS_RUN_SECONDS)
        ends, used = self._windows.get(user_id, (0.0, 0))
        if now >= ends:
            # Windows follow the clock of the server, and not the first request.
            ends, used = now - now % self.period_seconds + self.period_seconds, 0
            self._asked_at = ends - self.period_seconds
        if self._runs:
            self._taken += self._weather.others * (now - self._asked_at) / self.period_seconds
            used += int(self._taken)
            self._taken %= 1
        self._asked_at = now
        self._windows[user_id] = (ends, used)
        return super().refuse_for(user_id)
