"""VTK ImageData: files that VTK 9.7 wrote, and files for ParaView to read."""

import base64
import io
import zlib
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from matopt.data.images.formats.vti import BLOCK, read_vti, vti_bytes
from matopt.errors import InputError

WRITTEN_BY_VTK = sorted((Path(__file__).parent / "vtk").glob("*.vti"))


@pytest.mark.parametrize("path", WRITTEN_BY_VTK, ids=lambda path: path.stem)
def test_files_of_vtk_are_read_whatever_their_encoding(path):
    x, y, z = np.meshgrid(np.arange(7), np.arange(6), np.arange(5), indexing="ij")
    with path.open("rb") as stream:
        image = read_vti(stream)["grey"]()
    np.testing.assert_array_equal(image, x + 10 * y + 40 * z)
    assert f"_{image.dtype.kind}{8 * image.dtype.itemsize}" in path.stem


def test_all_encodings_of_vtk_are_among_the_files():
    assert len(WRITTEN_BY_VTK) == 7


@pytest.mark.parametrize("shape", [(5, 4), (7, 6, 5), (128, 128, 64), (130, 101, 90)])
def test_a_written_file_keeps_to_the_format(shape):
    """Decoded here by the format's own description, with the standard library alone."""
    phases = (np.random.default_rng(0).random(shape) < 0.3).astype(np.uint8)
    root = ElementTree.fromstring(vti_bytes(phases, 5.345e-6))
    assert root.attrib == {
        "type": "ImageData",
        "version": "1.0",
        "byte_order": "LittleEndian",
        "header_type": "UInt64",
        "compressor": "vtkZLibDataCompressor",
    }
    nx, ny, nz = (*shape, 1)[:3]
    image = root[0]
    assert image.attrib["WholeExtent"] == image[0].attrib["Extent"] == f"0 {nx} 0 {ny} 0 {nz}"
    assert [float(word) for word in image.attrib["Spacing"].split()] == [5.345e-6] * 3
    array = image.find("./Piece/CellData/DataArray")
    n_blocks = int.from_bytes(base64.b64decode(array.text[:12])[:8], "little")
    head_size = 8 * (3 + n_blocks)
    characters = -(-head_size // 3) * 4
    _, block, last, *sizes = np.frombuffer(base64.b64decode(array.text[:characters]), "<u8").tolist()
    packed = io.BytesIO(base64.b64decode(array.text[characters:]))
    unpacked = [zlib.decompress(packed.read(size)) for size in sizes]
    assert block == BLOCK and [len(b) for b in unpacked[:-1]] == [block] * (n_blocks - 1)
    assert len(unpacked[-1]) == (last or block)
    x_fastest = np.frombuffer(b"".join(unpacked), np.uint8).reshape(nz, ny, nx)
    np.testing.assert_array_equal(x_fastest.T.reshape(shape), phases)


def test_what_is_written_is_read_back():
    phases = (np.random.default_rng(1).random((9, 8, 7)) < 0.5).astype(np.uint8)
    np.testing.assert_array_equal(read_vti(io.BytesIO(vti_bytes(phases, 1e-6)))["phase"](), phases)


def test_other_vtk_files_are_refused():
    text = b'<VTKFile type="UnstructuredGrid" version="1.0"><UnstructuredGrid/></VTKFile>'
    with pytest.raises(InputError, match="UnstructuredGrid, not VTK ImageData"):
        read_vti(io.BytesIO(text))
