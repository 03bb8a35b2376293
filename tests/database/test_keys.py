"""Cliniko keys are unreadable in the database, and can be decrypted only for their organization."""

import base64
import errno
import os
import stat

import pytest

from routiq_gql.database.keys import KeyStore
from routiq_gql.errors import SettingsError, StorageError
from routiq_gql.security.token_file import TokenFile
from tests.descriptors import no_descriptors

SECRET = "MS0xLWplbm5pZmVy-au1"


KEY_A = f"a:{base64.b64encode(b'a' * 32).decode()}"
KEY_B = f"b:{base64.b64encode(b'b' * 32).decode()}"


def test_a_new_key_file_is_readable_by_its_owner_only(tmp_path):
    """Without a setting, a key file is created that other users of the machine can't read, and it stays the same."""
    ring = KeyStore("", tmp_path / "routiq.db").load()
    path = tmp_path / "routiq.db.key"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    key_id, sealed = ring.encrypt("org_a", SECRET)
    assert SECRET.encode() not in sealed
    assert KeyStore("", tmp_path / "routiq.db").load().decrypt("org_a", key_id, sealed) == SECRET
    assert os.listdir(tmp_path) == ["routiq.db.key"]


def test_a_key_file_that_others_may_read_is_refused(tmp_path):
    """Any right of other users to the key file stops the start, and the error names the command that repairs it."""
    file = tmp_path / "routiq.db.key"
    KeyStore("", tmp_path / "routiq.db").load()
    for others in range(1, 0o100):
        file.chmod(0o600 | others)
        with pytest.raises(SettingsError, match="chmod 600"):
            KeyStore("", tmp_path / "routiq.db").load()
    file.chmod(0o400)
    KeyStore("", tmp_path / "routiq.db").load()


def test_a_key_file_that_can_not_be_opened_now_is_no_wrong_setting(tmp_path):
    """With too many files open, the key file is not reported as wrong, and a later attempt succeeds."""
    store = KeyStore("", tmp_path / "routiq.db")
    store.load()
    with no_descriptors(), pytest.raises(StorageError, match="Too many open files"):
        store.load()
    store.load()


def test_a_row_copied_to_another_organization_does_not_open(tmp_path):
    """Swapping two clinics' rows gives neither clinic access to the other's account."""
    ring = KeyStore(KEY_A, tmp_path / "routiq.db").load()
    key_id, sealed = ring.encrypt("org_a", SECRET)
    with pytest.raises(StorageError, match="another organization") as caught:
        ring.decrypt("org_b", key_id, sealed)
    assert SECRET not in str(caught.value)


def test_an_older_key_still_opens_and_an_unknown_one_is_named(tmp_path):
    """After a new key is put first, stored rows stay readable; a removed key is named."""
    key_id, sealed = KeyStore(KEY_A, tmp_path / "routiq.db").load().encrypt("org_a", SECRET)
    rotated = KeyStore(f"{KEY_B},{KEY_A}", tmp_path / "routiq.db").load()
    assert rotated.decrypt("org_a", key_id, sealed) == SECRET
    assert rotated.encrypt("org_a", SECRET)[0] == "b"
    with pytest.raises(StorageError, match="“a”, which is not configured"):
        KeyStore(KEY_B, tmp_path / "routiq.db").load().decrypt("org_a", key_id, sealed)


@pytest.mark.parametrize("text", ["nonsense", "a:short", "a:!!!", f"{KEY_A},{KEY_A}", f"bad id:{KEY_A}", ","])
def test_a_malformed_key_setting_is_refused_without_being_repeated(tmp_path, text):
    """The error for a wrong setting names it, and never shows its value."""
    with pytest.raises(SettingsError, match="ROUTIQ_ENCRYPTION_KEYS") as caught:
        KeyStore(text, tmp_path / "routiq.db").load()
    assert text not in str(caught.value) or text == ","


class Disk:
    """Records the order of flushes to the disk, and may make them fail."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, folder_error: int = 0) -> None:
        self.done: list[str] = []
        self._folder_error = folder_error
        self._fsync, self._replace, self._link = os.fsync, os.replace, os.link
        monkeypatch.setattr(os, "fsync", self.fsync)
        monkeypatch.setattr("routiq_gql.database.keys.os.replace", self.replace)
        monkeypatch.setattr("routiq_gql.database.keys.os.link", self.link)
        # The default argument of the token file's writer is the real function.
        monkeypatch.setattr("routiq_gql.private_file.write_private.__defaults__", (self.replace,))

    def fsync(self, descriptor: int) -> None:
        is_folder = stat.S_ISDIR(os.fstat(descriptor).st_mode)
        if is_folder and self._folder_error:
            raise OSError(self._folder_error, os.strerror(self._folder_error))
        self._fsync(descriptor)
        self.done.append("folder" if is_folder else "file")

    def replace(self, source, target) -> None:
        self._replace(source, target)
        self.done.append("name")

    def link(self, source, target) -> None:
        self._link(source, target)
        self.done.append("name")


def test_a_new_key_is_on_the_disk_with_its_name_before_it_is_used(tmp_path, monkeypatch):
    """After a power cut the file exists under its name with the newest keys; else no stored key could be read."""
    disk = Disk(monkeypatch)
    store = KeyStore("", tmp_path / "routiq.db")
    for write in (
        store.load,
        store.begin_rotation,
        lambda: store.end_rotation(()),
        lambda: TokenFile(tmp_path / "tokens").add("org_a", ()),
    ):
        disk.done.clear()
        write()
        assert disk.done == ["file", "name", "folder"]


def test_a_file_system_without_lasting_names_is_good_enough(tmp_path, monkeypatch):
    """Keys can be kept on network file systems that can't flush names to the disk."""
    Disk(monkeypatch, errno.EINVAL)
    store = KeyStore("", tmp_path / "routiq.db")
    assert store.begin_rotation().first_id == store.load().first_id


def test_a_disk_that_fails_stops_the_rotation(tmp_path, monkeypatch):
    """If the disk does not store the new key, nothing is encrypted with it."""
    store = KeyStore("", tmp_path / "routiq.db")
    store.load()
    Disk(monkeypatch, errno.EIO)
    with pytest.raises(SettingsError, match="can't be written"):
        store.begin_rotation()
