"""The tables of the keep-out list: which erased patients no sync stores again. ``keep_out`` uses them."""

from datetime import datetime

from sqlalchemy import Column, LargeBinary, Named, String, Table, TypedColumns

from routiq_gql.database.columns import RowKey, UtcDateTime
from routiq_gql.database.tables.base import METADATA, Holds


class SuppressedColumns(TypedColumns):
    """An erased patient, by a keyed hash of the id in Cliniko.

    ``origin`` is the hash of the patient whom an operator erased. It differs from ``digest`` for a patient who was
    merged with that one.
    """

    mirror: Named[int] = Column(RowKey, primary_key=True, autoincrement=False)
    digest: Named[bytes] = Column(LargeBinary, primary_key=True)
    origin: Named[bytes] = Column(LargeBinary)
    erased_at: Named[datetime] = Column(UtcDateTime)


SUPPRESSED = Table("suppressed_patients", METADATA, SuppressedColumns, info={"holds": Holds.PATIENTS})


class SuppressionKeyColumns(TypedColumns):
    """The random key of an organization's hashes, encrypted with the installation's key ``encryption_key_id``."""

    mirror: Named[int] = Column(RowKey, primary_key=True, autoincrement=False)
    encryption_key_id: Named[str] = Column(String(64))
    sealed: Named[bytes] = Column(LargeBinary)


SUPPRESSION_KEY = Table("suppression_keys", METADATA, SuppressionKeyColumns, info={"holds": Holds.PATIENTS})
