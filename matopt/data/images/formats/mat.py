"""MATLAB's files of variables (.mat), of versions 4 to 7.3."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, BinaryIO

import numpy as np

from matopt.data.images.formats.base import FORMATS, Format, choose_variable
from matopt.data.images.formats.hdf5 import HDF5
from matopt.data.images.read_options import ReadOptions


@FORMATS.register("mat")
class Mat(Format):
    """Variables as MATLAB's ``save`` writes them; since version 7.3 that is a HDF5 file."""

    endings = (".mat",)
    uses = ("variable",)

    def read(self, stream: BinaryIO, options: ReadOptions) -> np.ndarray:
        """Read the variable asked for, or the only one that is an image, with MATLAB's order of axes.

        Fields of structs are variables too: ``sample.im``, ``scans(2).im``.
        """
        head = stream.read(128)
        stream.seek(0)
        if head.startswith(b"MATLAB 7.3"):
            variable = options.variable.replace(".", "/") if options.variable is not None else None
            return HDF5().read(stream, replace(options, variable=variable)).T  # MATLAB's columns are HDF5's rows
        import scipy.io

        shapes = {name: shape for name, shape, kind in scipy.io.whosmat(stream) if kind not in ("struct", "cell")}
        stream.seek(0)
        if options.variable in shapes or sum(_is_image(shape) for shape in shapes.values()) == 1:
            name = choose_variable(shapes, options.variable)
            return scipy.io.loadmat(stream, variable_names=[name])[name]
        held = scipy.io.loadmat(stream, simplify_cells=True)
        arrays = dict(_arrays({name: value for name, value in held.items() if not name.startswith("__")}))
        return arrays[choose_variable({name: array.shape for name, array in arrays.items()}, options.variable)]


def _is_image(shape: tuple[int, ...]) -> bool:
    return sum(n > 1 for n in shape) >= 2


def _arrays(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, np.ndarray]]:
    """List the arrays in structs and cells, by the names that MATLAB gives them."""
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from _arrays(value, f"{prefix}{name}.")
        elif isinstance(value, list) or (isinstance(value, np.ndarray) and value.dtype == object):
            numbered = {f"{name}({i})": item for i, item in enumerate(value, 1)}
            yield from _arrays(numbered, prefix)
        elif isinstance(value, np.ndarray):
            yield f"{prefix}{name}", value
