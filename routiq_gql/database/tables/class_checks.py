"""The table of the classes whose attendees were compared with Cliniko since the last full sync."""

from datetime import datetime

from sqlalchemy import Column, Named, Table, TypedColumns

from routiq_gql.database.columns import RowKey, UtcDateTime
from routiq_gql.database.tables.base import METADATA, ClinikoId, Holds


class ClassCheckColumns(TypedColumns):
    """When the attendees of a class were compared last, and by which sync; ``id`` is the class's id in Cliniko.

    A row counts once its sync is published.
    """

    mirror: Named[int] = Column(RowKey, primary_key=True, autoincrement=False)
    id: Named[int] = Column(ClinikoId, primary_key=True, autoincrement=False)
    sync: Named[int] = Column(RowKey)
    checked_at: Named[datetime] = Column(UtcDateTime)


CLASS_CHECK = Table("class_checks", METADATA, ClassCheckColumns, info={"holds": Holds.PATIENTS})
