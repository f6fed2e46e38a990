"""Microstructures from image files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from os import PathLike
from pathlib import Path
from typing import Any, Literal

from matopt.data.images.readers import content_hash
from matopt.data.images.segmentation import Side
from matopt.data.read import read
from matopt.data.sources.base import SOURCES, Source
from matopt.data.windows.scan import Scan, Stack, Windows
from matopt.data.windows.window import Window
from matopt.microstructures import Microstructures
from matopt.units import metres


@SOURCES.register("files")
class Files(Source):
    """An image file or a folder of slices; the file is read when it is first asked for.

    Args:
        path, voxel_size, variable, phases, threshold, grain, shape, dtype, stack: as for
            :func:`matopt.data.read.read`.
        buffer: voxels between the splits; by default what the image's correlation asks for, see
            :meth:`matopt.data.windows.scan.Windows.choose`.

    Raises:
        InputError: a voxel size that is no length.
    """

    def __init__(
        self,
        path: str | PathLike[str],
        voxel_size: float | str,
        variable: str | None = None,
        phases: Mapping[float | str, str] | None = None,
        threshold: float | Literal["otsu"] | None = None,
        grain: Side = "above",
        shape: Sequence[int] | None = None,
        dtype: str | None = None,
        stack: Stack = "volume",
        buffer: int | None = None,
    ) -> None:
        self.path = Path(path)
        self.buffer = buffer
        self._settings: dict[str, Any] = {
            "voxel_size": metres(voxel_size),
            "variable": variable,
            "phases": phases,
            "threshold": threshold,
            "grain": grain,
            "shape": shape,
            "dtype": dtype,
            "stack": stack,
        }

    @cached_property
    def scan(self) -> Scan:
        """The scan, read once."""
        return read(self.path, **self._settings)

    def split(self, window: Window, counts: Mapping[str, int], seed: int) -> dict[str, Microstructures]:
        """Windows of the scan; see :meth:`matopt.data.windows.scan.Windows.choose`."""
        windows = Windows(self.scan, window)
        return {name: windows.cut(corners) for name, corners in windows.choose(counts, seed, self.buffer).items()}

    def fingerprint(self) -> dict[str, Any]:
        """The settings and a hash of the content, wherever the file lies."""
        plain = dict(self._settings)
        if plain["phases"] is not None:
            plain["phases"] = {str(level): phase for level, phase in plain["phases"].items()}
        if plain["shape"] is not None:
            plain["shape"] = list(plain["shape"])
        return {"kind": "files", **plain, "buffer": self.buffer, "content": content_hash(self.path)}
