"""What files say of the size of their voxels, and what becomes of it."""

import gzip

import h5py
import nibabel
import nrrd
import numpy as np
import pytest
import tifffile
from PIL import Image
from scipy.ndimage import gaussian_filter

from matopt.data.images.read_options import ReadOptions
from matopt.data.images.readers import content_hash, read_image
from matopt.data.read import read
from matopt.data.write import write
from matopt.errors import InputError, InputWarning
from matopt.microstructures import Microstructures

ROCK = (gaussian_filter(np.random.default_rng(0).standard_normal((10, 40, 48)), 2) > 0).astype(np.uint8)
META = "NDims = 3\nElementSpacing = {}\nDimSize = 10 40 48\nElementType = MET_UCHAR\nElementDataFile = {}\n"
AMIRA = """# Avizo BINARY-LITTLE-ENDIAN 2.1

define Lattice 10 40 48

Parameters {
    Units { Coordinates "nm" }
    BoundingBox 0 180 0 195 0 235,
    CoordType "uniform"
}

Lattice { byte Labels } @1

# Data section follows
@1
"""


def imagej(unit, **metadata):
    return lambda path: tifffile.imwrite(
        path, ROCK, imagej=True, resolution=(0.2, 0.2), metadata={"unit": unit, "axes": "ZYX", **metadata}
    )


def dream3d(path):
    with h5py.File(path, "w") as file:
        geometry = file.create_group("DataContainers/Rock")
        geometry["_SIMPL_GEOMETRY/SPACING"] = np.array([5, 5, 20], np.float32)  # x, y, z
        geometry["CellData/Phases"] = ROCK[..., None]


def sized(path):
    with h5py.File(path, "w") as file:
        file["entry/data"] = ROCK
        file["entry/data"].attrs["element_size_um"] = [20.0, 5.0, 5.0]


def nifti(path):
    image = nibabel.Nifti1Image(ROCK, np.diag([20, 5, 5, 1]))
    image.header.set_xyzt_units("micron")
    nibabel.save(image, path)


OME = {"axes": "ZYX", "PhysicalSizeX": 5, "PhysicalSizeY": 5, "PhysicalSizeZ": 0.02, "PhysicalSizeZUnit": "mm"}
SPACE = {"space directions": np.diag([20.0, 5.0, 5.0]), "space": "scanner-xyz", "space units": ["microns"] * 3}
FILES = {
    "imagej.tif": (imagej("micron", spacing=20.0), "20 x 5 x 5 um"),
    "imagej_u.tif": (imagej("\\u00B5m", spacing=20.0), "20 x 5 x 5 um"),
    "imagej_px.tif": (imagej("pixel", spacing=4.0), "4 x 5 x 5 (no unit said)"),
    "slices.tif": (imagej("nm"), "? x 5 x 5 nm"),
    "printed.tif": (imagej("inch", spacing=2.0), None),
    "ome.ome.tif": (lambda path: tifffile.imwrite(path, ROCK, metadata=OME), "20 x 5 x 5 um"),
    "screen.tif": (lambda path: tifffile.imwrite(path, ROCK, resolution=(300, 300), resolutionunit="INCH"), None),
    "plain.tif": (lambda path: tifffile.imwrite(path, ROCK), None),
    "fine.png": (lambda path: Image.fromarray(ROCK[0]).save(path, dpi=(5080, 5080)), "5 um"),
    "screen.png": (lambda path: Image.fromarray(ROCK[0]).save(path, dpi=(300, 300)), None),
    "own.tif": (lambda path: write(path, Microstructures(ROCK[None], "5.345 um")), "? x 5.345 x 5.345 um"),
    "own.npz": (lambda path: write(path, Microstructures(ROCK[None], "5.345 um")), "5.345 um"),
    "own.vti": (lambda path: write(path, Microstructures(ROCK[None], "5.345 um")), "5.345e-06 (no unit said)"),
    "a.nrrd": (lambda path: nrrd.write(str(path), ROCK, SPACE), "20 x 5 x 5 um"),
    "b.nhdr": (lambda path: nrrd.write(str(path), ROCK, {"spacings": [20, 5, 5]}), "20 x 5 x 5 (no unit said)"),
    "a.nii": (nifti, "20 x 5 x 5 um"),
    "b.nii.gz": (lambda path: nibabel.save(nibabel.Nifti1Image(ROCK, np.eye(4)), path), None),
    "a.am": (lambda path: path.write_bytes(AMIRA.encode() + ROCK.tobytes(order="F")), "20 x 5 x 5 nm"),
    "a.mha": (
        lambda path: path.write_bytes(META.format("20 5 5", "LOCAL").encode() + ROCK.tobytes(order="F")),
        "20 x 5 x 5 (no unit said)",
    ),
    "a.dream3d": (dream3d, "20 x 5 x 5 (no unit said)"),
    "a.nxs": (sized, "20 x 5 x 5 um"),
}


@pytest.mark.parametrize("name", FILES)
def test_what_a_file_says_of_its_voxels_is_found(tmp_path, name):
    save, expected = FILES[name]
    save(tmp_path / name)
    options = ReadOptions(variable="DataContainers/Rock/CellData/Phases" if name.endswith("dream3d") else None)
    grey, said = read_image(tmp_path / name, options)
    np.testing.assert_array_equal(grey > 0, ROCK[0] if name.endswith("png") else ROCK)
    assert (str(said) if said is not None else None) == expected


def test_voxels_in_a_file_of_their_own_belong_to_the_header(tmp_path):
    path = tmp_path / "a.mhd"
    path.write_text(META.format("5 5 5", "a.raw"))
    with pytest.raises(InputError, match=r"its voxels are in another file, a\.raw, which is not beside it"):
        read(path, "5 um")
    (tmp_path / "a.raw").write_bytes(ROCK.tobytes(order="F"))
    np.testing.assert_array_equal(read(path, "5 um").phases, ROCK)
    before = content_hash(path)
    (tmp_path / "a.raw").write_bytes((1 - ROCK).tobytes(order="F"))
    assert content_hash(path) != before
    packed = tmp_path / "b.mhd.gz"
    packed.write_bytes(gzip.compress(path.read_bytes()))
    with pytest.raises(InputError, match=r"its voxels are in another file, a\.raw; unpack both into a folder"):
        read(packed, "5 um")


@pytest.mark.parametrize(("name", "right"), [("own.tif", "5.345 um"), ("own.npz", 5.39e-6), ("own.vti", "0.00535 mm")])
def test_a_size_that_disagrees_with_the_file_is_said(tmp_path, name, right, recwarn):
    FILES[name][0](tmp_path / name)
    assert read(tmp_path / name, right).phases.shape == ROCK.shape and not recwarn
    told = rf"^{tmp_path / name}: the file says that its voxels are .*5\.345.*, but the .* given makes them 5\.5 um"
    with pytest.warns(InputWarning, match=told):
        assert read(tmp_path / name, "5.5 um").voxel_size == 5.5e-6


def test_voxels_that_are_no_cubes_are_refused_or_resampled(tmp_path):
    FILES["imagej.tif"][0](tmp_path / "a.tif")
    told = r"no cubes but 20 x 5 x 5 um; add `resample: true` .* cubes of 5 um, or, .*`voxel_size: 5 x 5 x 5 um`"
    for size in ("5 um", "20 um", "20 x 5 x 5 um"):
        with pytest.raises(InputError, match=told):
            read(tmp_path / "a.tif", size)
        scan = read(tmp_path / "a.tif", size, resample=True)
        assert scan.phases.shape == (40, 40, 48) and scan.voxel_size == pytest.approx(5e-6)
        assert scan.porosity == pytest.approx(1 - ROCK.mean(), abs=1e-4)
        assert (scan.phases[2::4] == ROCK).mean() > 0.95  # the slices are where they were
    with pytest.warns(InputWarning, match="but the voxel size given makes them 5 um"):
        assert read(tmp_path / "a.tif", "5 x 5 x 5 um").phases.shape == ROCK.shape
    with pytest.raises(InputError, match=r"voxel_size '20 x 5 um' has 2 edges, but the image has 3 axes of space"):
        read(tmp_path / "a.tif", "20 x 5 um")
    stack = read(tmp_path / "a.tif", "5 um", stack="images")  # of independent images slices have no distance
    assert stack.phases.shape == ROCK.shape


def test_resampled_slices_are_close_to_what_was_between_them():
    """A volume that keeps every fifth slice: the interpolated ones are right more often than copies of the nearest."""
    fine = (gaussian_filter(np.random.default_rng(1).standard_normal((100, 64, 64)), 6) > 0).astype(np.uint8)
    kept = fine[2::5]
    found = read(kept, "25 x 5 x 5 um", resample=True).phases
    wrong, copied = ((other[2:-2] != fine[2:-2]).mean() for other in (found, np.repeat(kept, 5, 0)))
    assert wrong < 0.6 * copied
    phases = {0: "pore", 1: "grain", 2: "outside"}
    masked = read(np.where(np.arange(64) < 8, 2, kept), "25 x 5 x 5 um", phases=phases, resample=True).phases
    assert (masked[..., :8] == 2).all() and (masked[..., 8:] < 2).all()
    assert (masked[..., 12:] == found[..., 12:]).mean() > 0.98
