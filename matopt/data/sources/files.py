"""The source that cuts microstructures from image files."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import cached_property
from os import PathLike
from pathlib import Path
from typing import Any

from matopt.data.images.format_lookup import candidates
from matopt.data.images.read_options import ReadOptions
from matopt.data.images.readers import content_hash
from matopt.data.read import read_scan
from matopt.data.sources.base import SOURCES, Source
from matopt.data.windows.scan import Scan, Windows
from matopt.data.windows.window import Window
from matopt.errors import InputError
from matopt.microstructures import Microstructures
from matopt.registry import file_and_class, plain_settings
from matopt.units import voxel_edges


@SOURCES.register("files")
@dataclass(frozen=True, eq=False)
class Files(ReadOptions, Source):
    """An image file or a folder of slices, read when it is first asked for.

    Takes the settings of :class:`~matopt.data.images.read_options.ReadOptions` too.

    Attributes:
        path: of the file or folder.
        voxel_size: the edge of a voxel, in metres or as text: "5.345 um"; or one for each axis of space, axis 0 first:
            "20 x 5 x 5 um".
        buffer: voxels between the splits; by default what the image's correlation asks for, see
            :meth:`matopt.data.windows.scan.Windows.choose`.

    Raises:
        InputError: a voxel size that is no length, a shape that is none, or a format that there is not.
    """

    path: str | PathLike[str]
    voxel_size: float | str
    buffer: int | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        voxel_edges(self.voxel_size)
        if self.buffer is not None and self.buffer < 0:
            raise InputError(f"buffer must be 0 or more voxels, got {self.buffer}")
        candidates(self.format)

    @cached_property
    def scan(self) -> Scan:
        """The scan, read once."""
        return read_scan(Path(self.path), self.voxel_size, self)

    def check(self) -> None:
        """Read the scan and let it go again: what is wrong with the file or its levels is said."""
        read_scan(Path(self.path), self.voxel_size, self)

    def split(self, window: Window, counts: Mapping[str, int], seed: int) -> dict[str, Microstructures]:
        """Cut windows of the scan for each split; see :meth:`matopt.data.windows.scan.Windows.choose`."""
        windows = Windows(self.scan, window)
        return {name: windows.cut(corners) for name, corners in windows.choose(counts, seed, self.buffer).items()}

    def fingerprint(self) -> dict[str, Any]:
        """Return the settings and a hash of the content, wherever the file lies."""
        given = {field.name: getattr(self, field.name) for field in fields(self) if field.name != "path"}
        settings = plain_settings(given)
        edges = voxel_edges(self.voxel_size)
        settings["voxel_size"] = edges[0] if len(edges) == 1 else list(edges)
        if self.phases is not None:
            settings["phases"] = {str(level): phase for level, phase in self.phases.items()}
        if self.shape is not None:
            settings["shape"] = list(self.shape)
        if self.format is not None and ".py:" in self.format:
            file, name = file_and_class(self.format, Path.cwd())
            settings["format"] = [name, hashlib.blake2b(file.read_bytes(), digest_size=16).hexdigest()]
        return {"kind": "files", **settings, "content": content_hash(Path(self.path), self.format)}
