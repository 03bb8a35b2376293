"""How long the requests that are left will take, from those that were measured."""

import pytest

from routiq_gql.sync.durations import Amount, EarlierSync, Tempo


def tempo(requests: int, seconds: float, waited: float = 0.0, *, pace: int = 0) -> Tempo:
    """The tempo after so many equal requests."""
    found = Tempo.guessed(pace, [])
    for _ in range(requests):
        found = found.measured(1, seconds, waited)
    return found


@pytest.mark.parametrize(
    ("measured", "likely"),
    [
        (tempo(100, 1 / 3, 0.2333, pace=180), 150),
        (tempo(100, 0.6, pace=180), 270),
        (tempo(100, 0.1), 45),
    ],
)
def test_the_slower_of_pace_and_answers_decides(measured: Tempo, likely: float):
    """450 requests take as long as the pace of the key allows, or as Cliniko needs to answer them."""
    found = measured.seconds_for(Amount(450))
    assert found.likely == pytest.approx(likely, rel=0.03)
    assert found.low < found.likely < found.high


def test_a_paced_sync_is_known_to_the_second():
    """While the pace decides, the end is known better than while Cliniko's answers do."""
    paced, unpaced = (one.seconds_for(Amount(60)) for one in (tempo(50, 0.3333, 0.2333, pace=180), tempo(50, 0.3333)))
    assert paced.low == pytest.approx(paced.likely, abs=0.2)
    assert unpaced.high - unpaced.low > 5


def test_the_first_requests_come_at_once():
    """A sync of a few requests does not wait for its turn, so the pace does not count for them."""
    assert Tempo.guessed(60, []).seconds_for(Amount(5)).likely == pytest.approx(5 * 0.25)
    assert Tempo.guessed(60, []).seconds_for(Amount(65)).likely == pytest.approx(60)


def test_more_measured_requests_make_the_range_narrower():
    """The range is wide at first, and narrows with each answer."""
    widths = []
    for requests in (0, 10, 50):
        found = tempo(requests, 0.4).seconds_for(Amount(100))
        widths.append((found.high - found.low) / found.likely)
    assert widths == sorted(widths, reverse=True)


def test_uneven_answers_make_the_range_wider():
    """Answers that take between half a second and two seconds leave the end more open than even ones."""
    uneven = tempo(0, 0)
    for number in range(50):
        uneven = uneven.measured(1, (0.25, 0.75)[number % 2], 0.0)
    found, even = (one.seconds_for(Amount(4)) for one in (uneven, tempo(50, 0.5)))
    assert found.likely == pytest.approx(even.likely, rel=0.1)
    assert found.high - found.low > 1.3 * (even.high - even.low)


def test_an_unknown_number_of_requests_makes_the_range_wider():
    """The range is wider as long as the number of pages is unknown."""
    known, unknown = (tempo(50, 0.5).seconds_for(Amount(50, variance)) for variance in (0, 400))
    assert unknown.likely == known.likely
    assert unknown.high > known.high + 5
    assert unknown.low < known.low - 3


def test_an_earlier_sync_of_the_clinic_replaces_the_guess():
    """The first estimate of a clinic that has synced before goes by its own requests."""
    familiar = Tempo.guessed(0, [EarlierSync(100, worked=120, waited=0), EarlierSync(100, worked=20, waited=0)])
    assert familiar.seconds_for(Amount(50)).likely == pytest.approx(60)
    assert Tempo.guessed(0, [EarlierSync(0, 0, 0)]) == Tempo.guessed(0, [])


def test_pages_take_longer_than_requests_for_single_rows():
    """The checks before the first page are fast, so pages are expected to take longer."""
    checked = tempo(9, 0.1)
    assert checked.before_pages().seconds_for(Amount(50)).likely > 1.5 * checked.seconds_for(Amount(50)).likely
    familiar = Tempo.guessed(0, [EarlierSync(100, worked=20, waited=0)])
    assert familiar.before_pages() == familiar


def test_a_long_wait_is_an_exception_and_widens_the_range():
    """A wait of half a minute does not make every request slow, but it may happen again."""
    calm = tempo(60, 0.3333, 0.2333, pace=180)
    waited = calm.measured(1, 30.1, 30.0)
    before, after = (one.seconds_for(Amount(60)) for one in (calm, waited))
    assert after.likely < before.likely + 10
    assert after.high > before.high + 5


def test_an_answer_that_hangs_counts_as_a_wait():
    """A request that Cliniko does not answer for 40 seconds says nothing about the others."""
    hung = tempo(60, 0.5).measured(1, 40.5, 0.0)
    assert hung.mean == pytest.approx(0.5, rel=0.02)
    assert hung.waited > 39


def test_waits_that_keep_coming_are_expected_to_go_on():
    """A key that another program uses as well slows the rest of the sync down too."""
    calm = disturbed = tempo(0, 0, pace=180)
    for _ in range(10):
        for number in range(12):
            calm = calm.measured(1, 0.3333, 0.2333)
            disturbed = disturbed.measured(1, 10.1 if number == 0 else 0.3333, 10.0 if number == 0 else 0.2333)
    found = disturbed.seconds_for(Amount(120))
    assert found.likely > calm.seconds_for(Amount(120)).likely + 40
    assert found.low > calm.seconds_for(Amount(120)).likely


def test_a_sync_without_requests_left_ends_soon():
    """Behind the last request only the analysis and the publication are left."""
    found = tempo(50, 0.5).seconds_for(Amount(), closing=0.4)
    assert found.likely == pytest.approx(0.4)
    assert 0 <= found.low < found.likely < found.high < 1
