"""Every format keeps the contract; the format of another package is found by its ending."""

from __future__ import annotations

import os
import subprocess
import sys
import zlib
from pathlib import Path

import h5py
import nibabel
import nrrd
import numpy as np
import pytest
import scipy.io
import tifffile
from PIL import Image

from matopt.data.images.format_lookup import format_for
from matopt.data.images.formats.base import FORMATS
from matopt.data.images.formats.tiff import Tiff
from matopt.data.images.formats.vti import vti_bytes
from matopt.errors import InputError
from matopt.testing.formats import FormatConformance, Save


def _save_hdf5(path: Path, image: np.ndarray) -> None:
    with h5py.File(path, "w") as file:
        file.create_dataset("scans/rock", data=image, compression="gzip", fletcher32=True)


def _save_amira(path: Path, image: np.ndarray, packing: str = "") -> None:
    shape = (*image.shape, 1)[:3]
    data = zlib.compress(image.tobytes(order="F")) if packing else image.tobytes(order="F")
    packed = f"({packing},{len(data)})" if packing else ""
    box = " ".join(f"0 {5.0 * (n - 1):g}" for n in shape)
    header = f"""# AmiraMesh BINARY-LITTLE-ENDIAN 2.1

define Lattice {" ".join(map(str, shape))}

Parameters {{
    Units {{
        Coordinates "um"
    }}
    BoundingBox {box},
    CoordType "uniform"
}}

Lattice {{ byte Labels }} @1{packed}

# Data section follows
@1
"""
    path.write_bytes(header.encode() + data)


def _save_metaimage(path: Path, image: np.ndarray) -> None:
    """As ITK does: x runs fastest."""
    header = {
        "ObjectType": "Image",
        "NDims": image.ndim,
        "BinaryData": "True",
        "BinaryDataByteOrderMSB": "False",
        "CompressedData": "False",
        "ElementSpacing": " ".join(["5", "5", "20"][: image.ndim]),
        "DimSize": " ".join(map(str, image.shape)),
        "ElementType": {"uint8": "MET_UCHAR", "int16": "MET_SHORT"}[image.dtype.name],
        "ElementDataFile": "LOCAL",
    }
    lines = "".join(f"{key} = {value}\n" for key, value in header.items())
    path.write_bytes(lines.encode() + image.tobytes(order="F"))


SAVE = {
    "amira": lambda path, image: _save_amira(path, image, "HxZip"),
    "hdf5": _save_hdf5,
    "mat": lambda path, image: scipy.io.savemat(path, {"rock": image, "size": 5.0}, do_compression=True),
    "metaimage": _save_metaimage,
    "nifti": lambda path, image: nibabel.save(nibabel.Nifti1Image(image, np.eye(4)), path),
    "npy": lambda path, image: np.save(path, image),
    "npz": lambda path, image: np.savez_compressed(path, phases=image, voxel_size=1e-6),
    "nrrd": lambda path, image: nrrd.write(str(path), image),
    "picture": lambda path, image: Image.fromarray(image).save(path),
    "raw": lambda path, image: path.write_bytes(image.astype(">u2").tobytes()),
    "text": lambda path, image: np.savetxt(path, image.reshape(-1, image.shape[-1]), fmt="%d", delimiter=","),
    "tiff": lambda path, image: tifffile.imwrite(path, image, photometric="minisblack", compression="zlib"),
    "vti": lambda path, image: path.write_bytes(vti_bytes(image, 1e-6)),
}


class TestFormats(FormatConformance):
    @pytest.fixture(params=FORMATS.names())
    def name(self, request) -> str:
        return request.param

    @pytest.fixture
    def save(self, name: str) -> Save:
        return SAVE[name]

    @pytest.fixture
    def shapes(self, name: str) -> list[tuple[int, ...]]:
        return [(24, 28)] if name == "picture" else [(24, 28), (5, 24, 28)]

    @pytest.fixture
    def told(self, name: str):
        if name == "text":
            return lambda image: {"shape": image.shape}
        return lambda image: {"shape": image.shape, "dtype": ">u2"} if name == "raw" else {}


DUMP = '''
import numpy as np
from matopt.data.images.formats.base import Format

class Dump(Format):
    """Rows of digits, a voxel each, under a first line that says how many rows there are."""

    endings = (".dump",)
    is_slice = True

    def read(self, stream, options):
        first, *rows = stream.read().decode().splitlines()
        image = np.array([[int(digit) for digit in row] for row in rows], np.uint8)
        return image.reshape([int(n) for n in first.split()])
'''


class TestAFormatOfTheUsersOwn(FormatConformance):
    @pytest.fixture
    def name(self, tmp_path_factory) -> str:
        path = tmp_path_factory.mktemp("user") / "reader.py"
        path.write_text(DUMP)
        return f"{path}:Dump"

    @pytest.fixture
    def save(self) -> Save:
        def save(path: Path, image: np.ndarray) -> None:
            rows = ("".join(map(str, row)) for row in image)
            path.write_text("\n".join([" ".join(map(str, image.shape)), *rows]))

        return save

    @pytest.fixture
    def shapes(self) -> list[tuple[int, ...]]:
        return [(24, 28)]


def test_the_format_of_another_package_is_found_by_its_ending(tmp_path: Path) -> None:
    (tmp_path / "dump_reader.py").write_text(DUMP)
    metadata = tmp_path / "dump_reader-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: dump-reader\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text("[matopt.formats]\ndump = dump_reader:Dump\n")
    (tmp_path / "rock.dump").write_text("2 3\n010\n110\n")
    code = "import matopt; print(matopt.read('rock.dump', '1 um').phases.tolist())"
    path = os.pathsep.join([str(tmp_path), *filter(None, [os.environ.get("PYTHONPATH")])])
    environment = {**os.environ, "PYTHONPATH": path}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path, env=environment)
    assert done.stdout == "[[0, 1, 0], [1, 1, 0]]\n", done.stderr


def test_an_ending_of_two_formats_is_not_guessed() -> None:
    class Other(Tiff):
        endings = (".tif",)

    with pytest.raises(InputError, match=r"^\.TIF files are of several formats \(Tiff, Other\); add `format:`"):
        format_for(".TIF", [Tiff(), Other()])
    assert isinstance(format_for(".tiff", [Tiff(), Other()]), Tiff)
