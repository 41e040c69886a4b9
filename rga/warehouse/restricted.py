"""Respondents on disk: for the owner only, and encrypted where the environment holds a key.

Belongs here: modes of folders and files under `restricted/`, Parquet modular encryption, what is said where a key does not fit.
Not here: which tables there are, or whole-or-nothing writes (``staging``).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import io
import os
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pyarrow.parquet.encryption as pe

from rga.errors import InputError, Problem

KEY = "RGA_RESTRICTED_KEY"
ENCRYPTED = b"PARE"  # the first four bytes of a Parquet file with an encrypted footer; of any other they are PAR1
OWNER_ONLY_FOLDER, OWNER_ONLY_FILE = 0o700, 0o600
IF_LOST = "if it is lost, remove the folder `restricted/` of the warehouse: the next build makes its files again from raw_data"


def key() -> bytes | None:
    """The 32 bytes that the environment variable RGA_RESTRICTED_KEY gives in hex or base64; None where it is not set.

    Raises InputError where it is anything else; the message does not repeat it.
    """
    text = os.environ.get(KEY, "").strip()
    if not text:
        return None
    try:
        found = bytes.fromhex(text) if len(text) == 64 else base64.b64decode(text, validate=True)
    except (ValueError, binascii.Error):
        found = b""
    if len(found) != 32:
        raise InputError(
            Problem(f"{KEY} is no key", "give 32 random bytes, as 64 hex digits or base64: `openssl rand -hex 32` makes one")
        )
    return found


def protect(folder: Path) -> None:
    """Take ``folder`` and all in it from everybody but its owner, and make sure that the key at hand fits what is in it.

    Raises InputError where it does not.
    """
    if not folder.is_dir():
        key()
        return
    os.chmod(folder, OWNER_ONLY_FOLDER)
    files = []
    for path in folder.rglob("*"):
        if not path.is_symlink():
            os.chmod(path, OWNER_ONLY_FOLDER if path.is_dir() else OWNER_ONLY_FILE)
            files += [path] if path.suffix == ".parquet" else []
    key()
    for path in files:
        if is_encrypted(path):
            _opened(path)


def make_folders(path: Path) -> None:
    """The folder of ``path`` and the one around it, for the owner only whatever the umask says."""
    for folder in (path.parent.parent, path.parent):
        folder.mkdir(mode=OWNER_ONLY_FOLDER, parents=True, exist_ok=True)
        os.chmod(folder, OWNER_ONLY_FOLDER)


def as_parquet(table: pa.Table, path: Path) -> bytes:
    """What to write to ``path``: encrypted (AES-256-GCM, footer included) where there is a key.

    Raises InputError where there is none and the file at ``path`` is encrypted: nothing turns to plain text by oversight.
    """
    master = key()
    if master is None and path.is_file() and is_encrypted(path):
        raise InputError(_problem(path, f"is encrypted, and {KEY} is not set"))
    how = pe.create_encryption_properties(footer_key=_file_key(master, path)) if master else None
    sink = io.BytesIO()
    pq.write_table(table, sink, compression="zstd", encryption_properties=how)
    return sink.getvalue()


def read_table(path: Path) -> pa.Table:
    """The table in ``path``, encrypted or not. Raises InputError where the key is missing or is not the one it was written with."""
    if not is_encrypted(path):
        return pq.read_table(path, partitioning=None)
    return _opened(path).read()


def create_view(connection: duckdb.DuckDBPyConnection, name: str, paths: list[Path]) -> None:
    """View ``name`` of the rows of all ``paths``, columns matched by name. Raises InputError as ``read_table``.

    DuckDB reads plain files where they are. It cannot read what PyArrow encrypts (1.5.5 leaves out Parquet's additional
    authenticated data, and writes no encrypted file without an extension to download), so it is handed those as Arrow tables.
    """
    if not any(map(is_encrypted, paths)):
        connection.read_parquet([str(path) for path in paths], union_by_name=True).create_view(name)
        return
    connection.register(name, pa.concat_tables(map(read_table, paths), promote_options="permissive"))


def is_encrypted(path: Path) -> bool:
    """Whether the file says so itself."""
    with path.open("rb") as file:
        return file.read(4) == ENCRYPTED


def _decryption(path: Path) -> object:
    master = key()
    if master is None:
        raise InputError(_problem(path, f"is encrypted, and {KEY} is not set"))
    return pe.create_decryption_properties(footer_key=_file_key(master, path))


def _file_key(master: bytes, path: Path) -> bytes:
    """A key of the file's own, as GCM should not see the same key in many files: HMAC-SHA256 of its name (NIST SP 800-108)."""
    name = f"rga restricted parquet\0{path.parent.name}/{path.name}"
    return hmac.new(master, name.encode(), hashlib.sha256).digest()


def _opened(path: Path) -> pq.ParquetFile:
    """An encrypted file with its footer read. Raises InputError."""
    how = _decryption(path)
    try:
        return pq.ParquetFile(path, decryption_properties=how)
    except OSError as error:
        raise InputError(_problem(path, f"cannot be decrypted: {KEY} is not the key it was written with")) from error


def _problem(path: Path, what: str) -> Problem:
    return Problem(what, f"set {KEY} to the key it was written with; {IF_LOST}", f"restricted/{path.parent.name}/{path.name}")
