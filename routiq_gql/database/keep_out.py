"""The keep-out list: patients who were erased, by a keyed hash of their id, so that no sync stores them again.

Their rows on Cliniko's pages become stubs: counted, so that the mirror still agrees with Cliniko, and never shown. A
sync filters each page in the transaction that stores it, so an erasure during the sync holds for every later page.

The hashes have a random key for each organization, which is stored encrypted like an API key. A rotation encrypts that
key again and leaves the hashes as they are: they could not be made anew, as the ids are not stored.
"""

import hmac
import os
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

from sqlalchemy import delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from routiq_gql.clock import utc_now
from routiq_gql.database.drafts import ReadPage
from routiq_gql.database.keys import KeyRing, KeyStore, SealedForOthers
from routiq_gql.database.mirror import MirrorList
from routiq_gql.database.persons import erase_persons, suppressed_row
from routiq_gql.database.tables import MIRROR, SUPPRESSED, SUPPRESSION_KEY

SECRET_BYTES = 32


@dataclass(frozen=True, slots=True)
class ErasedPatients:
    """The keep-out list of an organization.

    Attributes:
        origins: The hash of each erased patient, with the hash of the patient whom an operator erased.
    """

    secret: bytes = field(repr=False)
    origins: Mapping[bytes, bytes]

    def digest(self, patient_id: int) -> bytes:
        """The keyed hash of a patient's id."""
        return hmac.digest(self.secret, str(patient_id).encode(), "sha256")

    def has(self, patient_id: object) -> bool:
        """Whether this is the id of an erased patient."""
        return isinstance(patient_id, int) and self.digest(patient_id) in self.origins

    def filter(self, target: MirrorList, page: ReadPage) -> ReadPage:
        """The page with the rows of erased patients as ``suppressed``."""
        name = "id" if target is MirrorList.PATIENTS else "patient_id"
        if name != "id" and name not in target.read_columns:
            return page
        out = [row for row in page.rows if self.has(row[name])]
        unreadable = [one for one in page.unreadable if target is MirrorList.PATIENTS and self.has(one)]
        if not out and not unreadable:
            return page
        gone = {*(row["id"] for row in out), *unreadable}
        stubs = [suppressed_row(target, row) for row in out]
        stubs += [suppressed_row(target, {"id": one}) for one in unreadable]
        return replace(
            page,
            rows=[row for row in page.rows if row["id"] not in gone],
            unreadable=[one for one in page.unreadable if one not in gone],
            suppressed=stubs,
        )


class KeepOut:
    """Reads and changes keep-out lists. Every method takes the connection of the caller's transaction."""

    def __init__(self, keys: KeyStore) -> None:
        self._keys = keys
        self._secrets: dict[tuple[int, bytes], bytes] = {}

    async def read(self, connection: AsyncConnection, mirror: int) -> ErasedPatients | None:
        """The organization's keep-out list; ``None`` if it is empty.

        Raises:
            StorageError: The key of its hashes can't be decrypted.
        """
        query = select(SUPPRESSED.c.digest, SUPPRESSED.c.origin).where(SUPPRESSED.c.mirror == mirror)
        origins = {row.digest: row.origin for row in await connection.execute(query)}
        return ErasedPatients(await self._secret(connection, mirror), origins) if origins else None

    async def filter(self, connection: AsyncConnection, mirror: int, target: MirrorList, page: ReadPage) -> ReadPage:
        """A page without erased patients, to be merged in the connection's transaction.

        A patient who was merged with an erased one is the same person, so that patient's rows are erased as well.

        Raises:
            StorageError: The key of the hashes can't be decrypted, so the page can't be stored.
        """
        await wait_for_erasure(connection, mirror)
        erased = await self.read(connection, mirror)
        if erased is None:
            return page
        if target is MirrorList.PATIENTS and (pairs := _pairs(page)):
            merged, united = _merged(erased, pairs)
            if merged or united:
                new = {erased.digest(one): origin for one, origin in merged.items()}
                await self._insert(connection, mirror, new)
                await _unite(connection, mirror, united)
                if merged:
                    await erase_persons(connection, mirror, merged)
                await _note(connection, mirror)
                erased = replace(erased, origins={**erased.origins, **new})
        return erased.filter(target, page)

    async def add(self, connection: AsyncConnection, mirror: int, patient_id: int, others: Collection[int]) -> bool:
        """Put a patient on the list, with the ``others`` who are the same person; ``False`` if it had the patient."""
        await _note(connection, mirror)
        erased = await self.read(connection, mirror)
        if erased is None:
            erased = ErasedPatients(await self._secret(connection, mirror), {})
        origin = erased.digest(patient_id)
        digests = {erased.digest(one) for one in {patient_id, *others}}
        await self._insert(connection, mirror, {one: origin for one in digests if one not in erased.origins})
        known = {erased.origins[one] for one in digests if one in erased.origins}
        await _unite(connection, mirror, dict.fromkeys(known - {origin}, origin))
        return not erased.has(patient_id)

    async def remove(self, connection: AsyncConnection, mirror: int, patient_id: int) -> bool:
        """Take a patient off the list, with all who are the same person; ``False`` if the list lacks the patient.

        The next sync is full then, since the changes alone would not bring the rows back.
        """
        erased = await self.read(connection, mirror)
        if erased is None or not erased.has(patient_id):
            return False
        origin = erased.origins[erased.digest(patient_id)]
        await connection.execute(delete(SUPPRESSED).where(SUPPRESSED.c.mirror == mirror, SUPPRESSED.c.origin == origin))
        await _note(connection, mirror)
        await connection.execute(update(MIRROR).where(MIRROR.c.number == mirror).values(full_at=None))
        return True

    async def _insert(self, connection: AsyncConnection, mirror: int, origins: Mapping[bytes, bytes]) -> None:
        now = utc_now()
        rows = [
            {"mirror": mirror, "digest": digest, "origin": origin, "erased_at": now}
            for digest, origin in origins.items()
        ]
        if rows:
            await connection.execute(insert(SUPPRESSED), rows)

    async def _secret(self, connection: AsyncConnection, mirror: int) -> bytes:
        """The key of the organization's hashes, made by its first call."""
        table = SUPPRESSION_KEY
        query = select(table.c.encryption_key_id, table.c.sealed).where(table.c.mirror == mirror)
        row = (await connection.execute(query)).one_or_none()
        if row is None:
            secret = os.urandom(SECRET_BYTES)
            key_id, sealed = self._keys.load().encrypt(_owner(mirror), secret.hex())
            await connection.execute(insert(table).values(mirror=mirror, encryption_key_id=key_id, sealed=sealed))
            return secret
        known = self._secrets.get((mirror, row.sealed))
        if known is None:
            known = _opened(self._keys.load(), mirror, row.encryption_key_id, row.sealed)
            self._secrets[mirror, row.sealed] = known
        return known


async def wait_for_erasure(connection: AsyncConnection, mirror: int) -> None:
    """Wait for the end of an erasure, and let no other begin until the connection's transaction ends.

    On PostgreSQL a sync may start during an erasure, and would otherwise write what it still reads of the person.
    SQLite has a single writer at a time.
    """
    if connection.dialect.name == "postgresql":
        own = select(MIRROR.c.number).where(MIRROR.c.number == mirror)
        await connection.execute(own.with_for_update(read=True))


async def seal_again(connection: AsyncConnection, ring: KeyRing) -> None:
    """Encrypt the keys of all hashes with the first key of the ring.

    Raises:
        StorageError: One of them can't be decrypted.
    """
    table = SUPPRESSION_KEY
    for row in list(await connection.execute(select(table).with_for_update())):
        if row.encryption_key_id != ring.first_id:
            secret = _opened(ring, row.mirror, row.encryption_key_id, row.sealed)
            key_id, sealed = ring.encrypt(_owner(row.mirror), secret.hex())
            values = {"encryption_key_id": key_id, "sealed": sealed}
            await connection.execute(update(table).where(table.c.mirror == row.mirror).values(**values))


async def sealing_ids(connection: AsyncConnection) -> set[str]:
    """The ids of the installation's keys that encrypt the keys of hashes."""
    return set((await connection.execute(select(SUPPRESSION_KEY.c.encryption_key_id).distinct())).scalars())


def _opened(ring: KeyRing, mirror: int, key_id: str, sealed: bytes) -> bytes:
    try:
        return bytes.fromhex(ring.decrypt(_owner(mirror), key_id, sealed))
    except SealedForOthers:
        raise SealedForOthers(
            f"The list of erased patients can't be read: its key was encrypted with the key “{key_id}”, which is not "
            "configured or is another key. Add it to ROUTIQ_ENCRYPTION_KEYS, or restore the key file. Until then no "
            "sync stores patients."
        ) from None


def _owner(mirror: int) -> str:
    """The associated data of the encryption. Numbers of mirrors are never used again."""
    return f"keep-out list of mirror {mirror}"


async def _note(connection: AsyncConnection, mirror: int) -> None:
    """Lock the list until the transaction ends, and let watchers of the dashboard read their figures again."""
    await connection.execute(update(MIRROR).where(MIRROR.c.number == mirror).values(erased_at=utc_now()))


async def _unite(connection: AsyncConnection, mirror: int, origins: Mapping[bytes, bytes]) -> None:
    """Let persons who were erased one by one, and are the same person, be let in together: new origins by earlier."""
    for before, origin in origins.items():
        own = (SUPPRESSED.c.mirror == mirror) & (SUPPRESSED.c.origin == before)
        await connection.execute(update(SUPPRESSED).where(own).values(origin=origin))


def _pairs(page: ReadPage) -> list[tuple[int, int]]:
    """The patients whom the page shows as merged, each with the other."""
    links = [(row["id"], row["merged_with_id"]) for row in page.rows]
    return [(one, other) for one, other in links if isinstance(one, int) and isinstance(other, int)]


def _merged(erased: ErasedPatients, pairs: Sequence[tuple[int, int]]) -> tuple[dict[int, bytes], dict[bytes, bytes]]:
    """The patients who are merged with an erased one, by id, with the hash that erased that one; and the hashes that
    erased the same person, each with the one that stands for all."""
    found: dict[int, bytes] = {}
    united: dict[bytes, bytes] = {}

    def origin_of(one: int) -> bytes | None:
        origin = found.get(one) or erased.origins.get(erased.digest(one))
        while origin in united:
            origin = united[origin]
        return origin

    has_new = True
    while has_new:
        has_new = False
        for one, other in [*pairs, *((b, a) for a, b in pairs)]:
            origin, of_other = origin_of(one), origin_of(other)
            if origin is None or origin == of_other:
                continue
            has_new = True
            if of_other is None:
                found[other] = origin
            else:
                united[of_other] = origin
    return {one: origin_of(one) or origin for one, origin in found.items()}, united
