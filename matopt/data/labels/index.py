"""The index of a run: an SQLite file, written once, in which a look-up reads a few pages and no more.

Nobody writes to an index that has its name, so that it is read without locks, which network folders do not always
have, and without the memory maps that they do not keep coherent. All of it comes from the run's Parquet file, from
which an index that is lost or damaged is made again.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

from matopt.atomic_write import atomic_write
from matopt.data.labels.entries import KEY_BYTES, Entry, unpack
from matopt.data.labels.parquet_parts import Damaged, Gone
from matopt.errors import FailureError

MERGED_AT_ONCE = 8
"""How many indexes SQLite takes as one at most; it attaches ten databases."""

_CACHE_KIB = 65536
_IN_A_QUERY = 500
_TABLE = "CREATE TABLE label (key BLOB PRIMARY KEY, entry BLOB) WITHOUT ROWID"


class DamagedIndex(Damaged):
    """An index is damaged; its run is not."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(reason)
        self.path = path


class Index:
    """The index of one run, opened.

    Args:
        path: its file.

    Raises:
        Gone: there is none.
        DamagedIndex: it is no index.
        FailureError: it cannot be read, by its permissions say.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        with self._telling():
            self._connection = _connect(path, "mode=ro&immutable=1")
            self._connection.execute("SELECT 1 FROM label LIMIT 1")

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def find(self, keys: Sequence[bytes]) -> dict[bytes, Entry]:
        """Look up the entries of those keys that have one.

        Raises:
            Gone, DamagedIndex, FailureError: as when it was opened.
        """
        ordered, found = sorted(keys), {}
        with self._telling():
            for first in range(0, len(ordered), _IN_A_QUERY):
                some = ordered[first : first + _IN_A_QUERY]
                marks = ",".join("?" * len(some))
                for key, entry in self._connection.execute(
                    f"SELECT key, entry FROM label WHERE key IN ({marks})", some
                ):
                    found[key] = unpack(key, entry)
        return found

    def knows_image(self, image: bytes) -> bool:
        """Tell whether there is a label of any simulation for an image.

        Raises:
            Gone, DamagedIndex, FailureError: as when it was opened.
        """
        with self._telling():
            last = image + b"\xff" * KEY_BYTES
            rows = self._connection.execute("SELECT 1 FROM label WHERE key BETWEEN ? AND ? LIMIT 1", (image, last))
            return rows.fetchone() is not None

    @contextmanager
    def _telling(self) -> Generator[None]:
        try:
            yield
        except (sqlite3.Error, ValueError) as error:
            if not self.path.exists():
                raise Gone(self.path) from error
            if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_CANTOPEN:
                raise FailureError(f"{self.path} cannot be read: {error}") from error
            raise DamagedIndex(self.path, str(error)) from error


def write_index(
    path: Path,
    tables: Iterable[Iterable[tuple[bytes, bytes]]],
    merged: Sequence[Path],
    is_wanted: Callable[[], bool],
) -> None:
    """Write the index of a run, whole or not at all.

    Args:
        path: its file.
        tables: keys and entries.
        merged: other indexes, all entries of which are taken over.
        is_wanted: asked now and then; the work is given up where it says no.

    Raises:
        Gone, DamagedIndex: one that was to be merged is no more, or damaged.
        FailureError: it was given up, or cannot be written.
    """
    with atomic_write(path) as temporary:
        try:
            with closing(_connect(temporary, "nolock=1")) as connection:
                _fill(connection, tables, merged, is_wanted)
        except sqlite3.Error as error:
            if gone := [other for other in merged if not other.exists()]:
                raise Gone(gone[0]) from error
            if damaged := [other for other in merged if is_wanted() and not _is_whole(other)]:
                raise DamagedIndex(damaged[0], str(error)) from error
            raise FailureError(f"{path} cannot be written: {error}") from error


def _fill(
    connection: sqlite3.Connection,
    tables: Iterable[Iterable[tuple[bytes, bytes]]],
    merged: Sequence[Path],
    is_wanted: Callable[[], bool],
) -> None:
    connection.set_progress_handler(lambda: not is_wanted(), 100_000)
    for setting in ("journal_mode = OFF", "synchronous = OFF", f"cache_size = -{_CACHE_KIB}"):
        connection.execute(f"PRAGMA {setting}")
    connection.execute(_TABLE)
    for number, other in enumerate(merged):
        connection.execute(f"ATTACH ? AS run{number}", (_uri(other, "mode=ro&immutable=1"),))
    connection.execute("BEGIN")
    if merged:  # in the order of their keys, which SQLite does without sorting
        every = " UNION ALL ".join(f"SELECT key, entry FROM run{number}.label" for number in range(len(merged)))
        connection.execute(f"INSERT OR IGNORE INTO label {every} ORDER BY key")
    for table in tables:
        connection.executemany("INSERT OR IGNORE INTO label VALUES (?, ?)", sorted(table))
    connection.execute("COMMIT")


def _is_whole(path: Path) -> bool:
    try:
        with closing(_connect(path, "mode=ro&immutable=1")) as connection:
            return connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    except sqlite3.Error:
        return False


def _connect(path: Path, how: str) -> sqlite3.Connection:
    return sqlite3.connect(_uri(path, how), uri=True, isolation_level=None, check_same_thread=False)


def _uri(path: Path, how: str) -> str:
    return f"{path.as_uri()}?{how}"  # quotes what a folder's name may hold
