"""What all tables share: the metadata that migrations are compared with, and the types of ids."""

from datetime import datetime

from sqlalchemy import String, Text
from sqlalchemy.orm import DeclarativeBase

from routiq_gql.database.columns import UtcDateTime

OrganizationId = String(64)
ClinikoId = String(32)
"""Cliniko's ids stay text: they exceed what many clients hold as a number."""


class Base(DeclarativeBase):
    """Holds the metadata that migrations are compared with."""

    type_annotation_map = {datetime: UtcDateTime(), str: Text()}  # noqa: RUF012 - SQLAlchemy's own name and form
