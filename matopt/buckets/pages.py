"""A file that grows, in a bucket: as nothing is added to an object it is kept in pages, the last of them replaced.

A page is put on the condition that it is as this process left it. So where two processes take each other for dead, one
of them is told that the other writes, and no line of either goes between the other's.
"""

from __future__ import annotations

from pathlib import Path

from matopt.buckets.address import Place, place_of
from matopt.buckets.bucket import Version, bucket_at
from matopt.errors import FailureError

_PAGE = 1 << 18
"""Bytes of a page: what is sent again, at most, for a line that is added."""


class Pages:
    """The pages of a file of a working copy.

    Args:
        path: the file, which need not be there.
    """

    def __init__(self, path: Path) -> None:
        place = place_of(path)
        assert place is not None
        self._path = path
        self._place: Place = place
        self._bucket = bucket_at(place.bucket)
        self._versions: list[Version] = []
        self._size = 0

    def pull(self) -> None:
        """Make the file what the pages say.

        Raises:
            FailureError: the store cannot be had, or the file not be written.
        """
        found = sorted(self._bucket.objects(self._folder), key=lambda page: page.key)
        self._versions, parts = [], []
        for number, _ in enumerate(found):
            page = self._bucket.get(self._key(number))
            if page is None:
                raise FailureError(f"{self._place} lacks its page {number}; copy it from a backup, or move all pages")
            parts.append(page[0])
            self._versions.append(page[1].version)
        content = b"".join(parts)
        self._size = len(content)
        try:
            if not found:
                self._path.unlink(missing_ok=True)
            elif not self._path.is_file() or self._path.read_bytes() != content:
                self._path.parent.mkdir(parents=True, exist_ok=True)
                fresh = self._path.with_name(f".{self._path.name}.fresh")
                fresh.write_bytes(content)
                fresh.replace(self._path)
        except OSError as error:
            raise FailureError(f"{self._path} cannot be written: {error.strerror or error}") from error

    def push(self) -> None:
        """Keep what was added to the file, or cut off its end, since the last time.

        Raises:
            FailureError: the store cannot be had, or another process writes there.
        """
        size = self._path.stat().st_size
        with self._path.open("rb") as file:
            for number in range(min(self._size, size) // _PAGE, -(-size // _PAGE)):
                file.seek(number * _PAGE)
                self._put(number, file.read(_PAGE))
        for number in range(-(-size // _PAGE), len(self._versions)):
            self._bucket.delete(self._key(number))
        del self._versions[-(-size // _PAGE) :]
        self._size = size

    def _put(self, number: int, content: bytes) -> None:
        before = self._versions[number] if number < len(self._versions) else None
        version = self._bucket.put_if(self._key(number), content, before)
        if version is None:
            raise FailureError(f"{self._place} was written to by another process; this one stops, and writes no more")
        self._versions[number : number + 1] = [version]

    @property
    def _folder(self) -> str:
        return f"{self._place.key}.pages"

    def _key(self, number: int) -> str:
        return f"{self._folder}/{number:06d}"
