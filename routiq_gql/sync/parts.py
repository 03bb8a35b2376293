"""The comparison of a clinic that is kept live, in parts: each sync of a look compares a few lists while it is due.

Comparing every list at once would take the requests of about a minute, in which no look could show a change. The parts
follow each other in the order of ``Reconciler.run``, and the receipt of the last one is that of the whole comparison.
A part that fails again and again is left out, so that it holds up neither the parts behind it nor the next comparison.
"""

from routiq_gql.cliniko import (
    APPOINTMENT_TYPES,
    ATTENDEES,
    GROUP_APPOINTMENTS,
    INDIVIDUAL_APPOINTMENTS,
    PATIENTS,
    PRACTITIONERS,
)

PARTS: tuple[frozenset[str], ...] = (
    frozenset({PATIENTS.name}),
    frozenset({INDIVIDUAL_APPOINTMENTS.name}),
    frozenset({GROUP_APPOINTMENTS.name, ATTENDEES.name}),
    frozenset({APPOINTMENT_TYPES.name, PRACTITIONERS.name}),
)
"""The lists of each part."""
LAST_PART = len(PARTS) - 1
PART_REQUESTS = 5
"""The most requests of a part in a calm clinic: two for group appointments, and three for attendees."""
MOST_FAILURES = 3
"""Syncs that may fail at a part of a comparison, until it is left out."""
