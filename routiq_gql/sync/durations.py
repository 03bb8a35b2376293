"""Measures how long the requests of a sync take, and forecasts how long those that are left will take. Pure functions.

A sync spends its time in three ways: it *works* (Cliniko answers, rows are stored), it keeps the *pace* of its API key,
and it *waits* unexpectedly (another program uses the key, a request fails, an answer hangs). Work and pace overlap, so
the slower of them counts. Waits are rare and long, so they are counted separately: how many requests bring one, and how
long it is. The range is from the 10 % to the 90 % quantile; deviations of independent parts add up as squares.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import exp, log, sqrt
from statistics import NormalDist
from typing import Self

BURST = 5
"""Requests that are sent at once after a pause; the later ones are spaced."""
TAIL = 0.1
"""The part of all syncs that end before the range, and the part that end behind it."""
Z = NormalDist().inv_cdf(1 - TAIL)

SECONDS_PER_REQUEST = 0.25
"""A guess, before the first request of a sync and without an earlier sync."""
GUESS_DOUBT, GUESS_REQUESTS = 0.6, 1.5
"""How far the guess is off, as a part of it, and how many measured requests weigh as much."""
EARLIER_DOUBT, EARLIER_REQUESTS = 0.3, 12.0
"""The same of the mean of an earlier sync."""
PAGE_RATIO, PAGE_DOUBT = 2.0, 0.5
"""How much longer than a row a page takes, before a page was read, and how far that is off."""
DRIFT = 0.3
"""How far the mean of the requests to come is off the mean so far, as a part of it: Cliniko's load changes."""
MEMORY = 60.0
"""The mean is that of about so many of the newest requests."""
CLOSING_DOUBT = 0.7
"""How far the seconds behind the last request are off, as a part of them."""

WAIT_SECONDS = 10.0
"""A typical unexpected wait, before one was seen."""
WAITS, OF_REQUESTS = 0.2, 50.0
"""Waits per requests, before any was seen."""
LEAST_WAIT_SECONDS, LEAST_WAIT_RATIO = 1.0, 4.0
"""A request that takes more than a second, and this many times as long as expected, has waited unexpectedly."""
EARLIER_SHARE = 0.25
"""The weight of a request of an earlier sync for the number of waits, compared with a request of this sync."""


@dataclass(frozen=True, slots=True)
class Amount:
    """A number that is not known exactly: its mean and variance. Independent amounts can be added."""

    mean: float = 0.0
    variance: float = 0.0

    def __add__(self, other: "Amount") -> "Amount":
        return Amount(self.mean + other.mean, self.variance + other.variance)


@dataclass(frozen=True, slots=True)
class Spread:
    """Quantiles of a duration in seconds: of 10, 50 and 90 %."""

    low: float
    likely: float
    high: float


@dataclass(frozen=True, slots=True)
class EarlierSync:
    """A completed sync.

    Attributes:
        requests: Its requests,
        worked: their seconds of work, and
        waited: the seconds of their waits, for the pace as well as unexpected.
    """

    requests: int
    worked: float
    waited: float


@dataclass(frozen=True, slots=True)
class Tempo:
    """The requests that were measured, on top of a guess.

    Attributes:
        interval: The least seconds between two requests, by the pace of the key; 0 for none.
        sent: Requests so far.
        weight: How many requests the mean stands for,
        mean: their mean seconds of work,
        variance: and the variance of a single one.
        is_familiar: Whether the guess comes from an earlier sync of the clinic.
        waits: Unexpected waits so far, those of the guess included,
        waited: their seconds,
        of_requests: and in how many requests they were.
    """

    interval: float
    sent: int = 0
    weight: float = GUESS_REQUESTS
    mean: float = SECONDS_PER_REQUEST
    variance: float = (GUESS_DOUBT * SECONDS_PER_REQUEST) ** 2
    is_familiar: bool = False
    waits: float = WAITS
    waited: float = WAITS * WAIT_SECONDS
    of_requests: float = OF_REQUESTS

    @classmethod
    def guessed(cls, requests_per_minute: int, earlier: Sequence[EarlierSync]) -> Self:
        """The tempo before the first request, from earlier syncs of the clinic, the newest first."""
        tempo = cls(60 / requests_per_minute if requests_per_minute else 0.0)
        earlier = [one for one in earlier if one.requests]
        if not earlier:
            return tempo
        mean = earlier[0].worked / earlier[0].requests
        requests = EARLIER_SHARE * sum(one.requests for one in earlier)
        unexpected = (one.waited - max(one.requests * tempo.interval - one.worked, 0.0) for one in earlier)
        waited = EARLIER_SHARE * sum(max(seconds, 0.0) for seconds in unexpected)
        return replace(
            tempo,
            mean=mean,
            variance=(EARLIER_DOUBT * mean) ** 2,
            is_familiar=True,
            weight=EARLIER_REQUESTS,
            waits=tempo.waits + waited / WAIT_SECONDS,
            waited=tempo.waited + waited,
            of_requests=tempo.of_requests + requests,
        )

    def before_pages(self) -> Self:
        """The tempo of the pages that follow requests for single rows, which are answered faster."""
        if self.weight <= GUESS_REQUESTS + 2 or self.is_familiar:
            return self
        mean = PAGE_RATIO * self.mean
        return replace(self, weight=GUESS_REQUESTS, mean=mean, variance=(PAGE_DOUBT * mean) ** 2)

    def measured(self, requests: int, seconds: float, waited: float) -> Self:
        """With so many more requests.

        Args:
            seconds: Their time, from the end of the request before to the end of the last of them.
            waited: The part of it in which they waited for their turn, a limit or another attempt.
        """
        work = max(seconds - waited, 0.0)
        least = max(LEAST_WAIT_SECONDS, LEAST_WAIT_RATIO * requests * self.interval)
        unexpected = waited - requests * self.interval if waited > least else 0.0
        if work > max(LEAST_WAIT_SECONDS, LEAST_WAIT_RATIO * requests * self.mean) and self.sent > BURST:
            unexpected += work - requests * self.mean
            work = requests * self.mean
        kept = min(self.weight, MEMORY)
        weight = kept + requests
        apart = work / requests - self.mean
        mean = self.mean + apart * requests / weight
        variance = (kept * self.variance + requests * apart * (work / requests - mean)) / weight
        return replace(
            self,
            sent=self.sent + requests,
            weight=weight,
            mean=mean,
            variance=variance,
            waits=self.waits + (unexpected > 0),
            waited=self.waited + unexpected,
            of_requests=self.of_requests + requests,
        )

    def seconds_for(self, requests: Amount, closing: float = 0.0) -> Spread:
        """The seconds of so many more requests, and ``closing`` seconds behind them."""
        number = max(requests.mean, 0.0)
        spaced = max(number - max(BURST - self.sent, 0), 0.0)
        spacing = spaced * self.interval
        work = number * self.mean
        doubt = _log_deviation(number * self.variance + number**2 * self.variance / self.weight, work)
        factor = exp(Z * sqrt(doubt**2 + DRIFT**2))
        steady = max(work, spacing)
        slower = max(work * factor, spacing) - steady
        faster = steady - max(work / factor, spacing)
        factor = exp(Z * _log_deviation(requests.variance, number))
        per_request = number * max(self.mean, self.interval)
        more, fewer = per_request * (factor - 1), per_request * (1 - 1 / factor)
        waits = self._waits(number)
        steady += closing
        closing_deviation = CLOSING_DOUBT * closing + self.mean / 2 * min(number, 1)
        return Spread(
            low=max(steady - _root(faster, fewer, closing_deviation), 0.0) + waits.low,
            likely=steady + waits.likely,
            high=steady + _root(slower, more, closing_deviation, waits.high),
        )

    def _waits(self, requests: float) -> Spread:
        """The seconds of unexpected waits during so many more requests."""
        number = requests * self.waits / self.of_requests
        size = self.waited / self.waits
        # A number of waits whose rate was measured in ``of_requests``: it follows a negative binomial distribution.
        none = (self.of_requests / (self.of_requests + requests)) ** self.waits
        if none >= 1 - TAIL / 2:
            return Spread(0.0, 0.0, 0.0)
        mean = number * size
        variance = number * size**2 * (2 + requests / self.of_requests)
        some_mean = mean / (1 - none)
        some_variance = (variance + mean**2) / (1 - none) - some_mean**2

        def at(share: float) -> float:
            if share <= none:
                return 0.0
            return _lognormal(some_mean, some_variance, (share - none) / (1 - none))

        return Spread(at(TAIL), at(0.5), at(1 - TAIL))


def _root(*deviations: float) -> float:
    return sqrt(sum(one * one for one in deviations))


def _log_deviation(variance: float, mean: float) -> float:
    """The deviation of the logarithm of a positive number, which is lognormally distributed."""
    return sqrt(log(1 + variance / mean**2)) if mean > 0 else 0.0


def _lognormal(mean: float, variance: float, share: float) -> float:
    """The quantile of a lognormal distribution."""
    square = log(1 + max(variance, 0.0) / mean**2)
    return exp(log(mean) - square / 2 + NormalDist().inv_cdf(min(share, 0.999)) * sqrt(square))
