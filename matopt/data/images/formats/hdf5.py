"""HDF5 files of named datasets, those of DREAM.3D and NeXus among them."""

from __future__ import annotations

from typing import TYPE_CHECKING, BinaryIO

import numpy as np

from matopt.data.images.formats.base import FORMATS, Format, choose_variable
from matopt.data.images.read_options import ReadOptions
from matopt.data.images.spacing import Spacing

if TYPE_CHECKING:
    import h5py


@FORMATS.register("hdf5")
class HDF5(Format):
    """Datasets in any group of a HDF5 file."""

    endings = (".h5", ".hdf5", ".hdf", ".dream3d", ".nxs")
    uses = ("variable",)

    def read(self, stream: BinaryIO, options: ReadOptions) -> np.ndarray:
        """Read the dataset asked for by its path (``scans/rock``), or the only one that is an image."""
        import h5py

        with h5py.File(stream, "r") as file:
            return _dataset(file, options)[()]

    def spacing(self, stream: BinaryIO, options: ReadOptions) -> Spacing | None:
        """Take ``element_size_um`` of the dataset, as Fiji and ilastik write it, or the geometry that DREAM.3D has."""
        import h5py

        with h5py.File(stream, "r") as file:
            dataset = _dataset(file, options)
            size = dataset.attrs.get("element_size_um")
            if size is not None:
                return Spacing.of(tuple(float(edge) for edge in np.atleast_1d(size)), "um")
            found = _dream3d_spacing(dataset)
            if found is None:
                return None
            edges = tuple(float(edge) for edge in found[::-1])  # x y z there, z y x and components in the dataset
            return Spacing.of((*edges, *(1.0,) * (len(dataset.shape) - 3)) if len(dataset.shape) > 3 else edges)


def _dataset(file: h5py.File, options: ReadOptions) -> h5py.Dataset:
    """Choose the dataset asked for by its path, links followed, or the only one that is an image."""
    import h5py

    variable = options.variable.strip("/") if options.variable is not None else None
    if variable is not None and isinstance(found := file.get(variable), h5py.Dataset):
        return found
    shapes: dict[str, tuple[int, ...]] = {}

    def note(name: str, item: object) -> None:
        if isinstance(item, h5py.Dataset) and not name.startswith("#"):  # MATLAB keeps its cells under #refs#
            shapes[name] = item.shape

    file.visititems(note)
    return file[choose_variable(shapes, variable)]


def _dream3d_spacing(dataset: h5py.Dataset) -> np.ndarray | None:
    """Find the spacing of the image geometry that a dataset of DREAM.3D belongs to."""
    group = dataset.parent
    while group.name != "/":
        if "_SIMPL_GEOMETRY/SPACING" in group:
            return group["_SIMPL_GEOMETRY/SPACING"][()]
        if "_SPACING" in group.attrs:
            return np.asarray(group.attrs["_SPACING"])
        group = group.parent
    return None
