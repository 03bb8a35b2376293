"""The total of a receipt, derived from its lists, and receipts that an earlier version stored."""

from dataclasses import replace

import pytest

from routiq_gql.sync.receipt import ListReceipt, Receipt, read_receipt, to_json
from tests.receipts import AGREES, APPOINTMENTS, ATTENDEES, DENIED, DIFFERS, IN_PART, PATIENTS

GROUPS = ListReceipt("group_appointments", 4, 4, True)
TYPES = ListReceipt("appointment_types", 8, 8, True)
PRACTITIONERS = ListReceipt("practitioners", 3, 3, True)
WHOLE = {one.list: one for one in (PATIENTS, APPOINTMENTS, GROUPS, ATTENDEES, TYPES, PRACTITIONERS)}


def _refused(one: ListReceipt) -> ListReceipt:
    return replace(one, in_cliniko=None, agrees=None)


@pytest.mark.parametrize("name", ["patients", "individual_appointments", "group_appointments", "attendees"])
def test_a_list_that_cliniko_refused_leaves_the_total_open(name: str):
    """If Cliniko does not count a list, or attendees by class, the total neither agrees nor differs."""
    refused = _refused(WHOLE[name])
    receipt = replace(AGREES, lists=tuple((WHOLE | {name: refused}).values()))
    assert (receipt.agrees, receipt.refused, receipt.is_compared) == (None, (refused,), True)


@pytest.mark.parametrize(
    "changed",
    [
        (),
        (replace(ATTENDEES, compared=60, agrees=None),),
        (replace(ATTENDEES, in_cliniko=0, in_mirror=0, compared=0, of=0),),
        (DENIED,),
    ],
    ids=["all compared", "classes in turn", "no classes", "denied practitioners"],
)
def test_a_comparison_that_is_made_in_turn_or_is_optional_leaves_agreement(changed: tuple[ListReceipt, ...]):
    """Classes that are not due yet, and practitioners whom the key may not read, don't count against agreement."""
    receipt = replace(AGREES, lists=tuple((WHOLE | {one.list: one for one in changed}).values()))
    assert (receipt.agrees, receipt.refused) == (True, ())


def test_a_difference_outweighs_a_list_that_was_not_compared():
    """If one list differs, the receipt differs, whatever Cliniko refused besides."""
    lists = (replace(PATIENTS, in_mirror=640, agrees=False), _refused(APPOINTMENTS), DENIED)
    receipt = replace(AGREES, lists=lists)
    assert (receipt.agrees, [one.list for one in receipt.refused]) == (False, ["individual_appointments"])


@pytest.mark.parametrize("lists", [(), (DENIED,), (_refused(PATIENTS), DENIED)])
def test_no_comparison_is_no_agreement(lists: tuple[ListReceipt, ...]):
    """Without a single compared list there is nothing that agrees."""
    receipt = replace(AGREES, lists=lists)
    assert (receipt.agrees, receipt.is_compared) == (None, False)


@pytest.mark.parametrize("receipt", [AGREES, DIFFERS, IN_PART])
def test_a_receipt_is_read_as_it_was_stored(receipt: Receipt):
    """A stored receipt has the total in its first place, and is read without a change."""
    stored = to_json(receipt)
    assert next(iter(stored.items())) == ("agrees", receipt.agrees)
    assert read_receipt(stored) == receipt


def test_a_receipt_of_an_earlier_version_is_corrected():
    """An earlier version stored that all agrees, though Cliniko had not counted patients; it is read otherwise."""
    assert read_receipt({**to_json(IN_PART), "agrees": True}).agrees is None
    assert read_receipt({**to_json(DIFFERS), "agrees": False}).agrees is False
    assert read_receipt({**to_json(AGREES), "agrees": True}).agrees is True
