"""A small clinic with lists, for tests of the ways to read them."""

from routiq_gql.clock import utc_now
from tests.organization import ORGANIZATION
from tests.patients.clinics import DAY, NOW, ListedClinic, Person, Visit
from tests.server import Server

ZOE = Person(
    11,
    "Zoë",
    "Ångström",
    email="zoe@patients.example",
    phone="+61 491 570 156",
    visits=(
        Visit(1, NOW - 3 * DAY, type_id=601, is_class=True),
        Visit(2, NOW - 40 * DAY),
        Visit(3, NOW - 5 * DAY, is_missed=True),
        Visit(4, NOW + 9 * DAY, practitioner_id=502),
    ),
)
PEOPLE = [
    ZOE,
    Person(12, "Ben", "Aalto", visits=(Visit(5, NOW - 2 * DAY, practitioner_id=502),)),
    Person(13, "Cleo", "Berg", visits=(Visit(6, NOW - 300 * DAY),)),
    Person(14, "Dora", "Cruz", visits=(Visit(7, NOW + DAY),)),
]


async def listed(server: Server, organization_id: str = ORGANIZATION) -> ListedClinic:
    """An organization with the lists of four patients."""
    clinic = ListedClinic(server.runtime.database, organization_id)
    await clinic.sync(PEOPLE, completed_at=utc_now())
    return clinic
