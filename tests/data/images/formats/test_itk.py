"""Files that ITK 5.4 wrote, and AmiraMesh files in every coding."""

from pathlib import Path

import numpy as np
import pytest

from matopt.data.images.read_options import ReadOptions
from matopt.data.images.readers import read_image
from matopt.errors import InputError

WRITTEN_BY_ITK = sorted(p for p in (Path(__file__).parent / "itk").iterdir() if p.suffix != ".raw")
GRID = np.arange(60).reshape(3, 4, 5) // 7


@pytest.mark.parametrize("path", WRITTEN_BY_ITK, ids=lambda path: path.name)
def test_files_of_itk_are_read_with_axis_0_as_x(path):
    x, y, z = np.meshgrid(np.arange(6), np.arange(5), np.arange(4), indexing="ij")
    expected = x + 10 * y + 50 * z
    grey, said = read_image(path, ReadOptions())
    np.testing.assert_array_equal(grey, expected[..., 0] if path.stem.startswith("slice") else expected)
    assert path.stem.rsplit("_")[-1] in (f"{grey.dtype.kind}{8 * grey.dtype.itemsize}", grey.dtype.name)  # as saved
    if not path.stem.startswith("slice"):
        assert str(said) == ("2 x 3 x 4 mm" if path.suffix == ".nii" else "2 x 3 x 4 (no unit said)")


def runs(data: bytes) -> bytes:
    """HxByteRLE: pieces of five bytes as they are, by turns with runs."""
    packed, at = b"", 0
    while at < len(data):
        run = len(data[at:]) - len(data[at:].lstrip(data[at : at + 1]))
        if run > 2:
            packed += bytes([run, data[at]])
        else:
            run = min(5, len(data) - at)
            packed += bytes([128 | run]) + data[at : at + run]
        at += run
    return packed


@pytest.mark.parametrize("coding", ["LITTLE", "BIG", "ASCII", "runs", "cut"])
def test_amira_is_read_in_every_coding(tmp_path, coding):
    flat = GRID.ravel(order="F")
    first, kind, data = "AmiraMesh BINARY-LITTLE-ENDIAN 2.1", "@1", flat.astype("<u2").tobytes()
    if coding == "BIG":
        first, data = "AmiraMesh 3D BINARY 2.0", flat.astype(">u2").tobytes()
    elif coding == "ASCII":
        first, data = "AmiraMesh 3D ASCII 2.0", "\n".join(map(str, flat)).encode()
    elif coding == "runs":
        data = runs(flat.astype("u1").tobytes())
        kind = f"@1(HxByteRLE,{len(data)})"
    elif coding == "cut":
        data = data[:-3]
    name = "byte" if coding == "runs" else "ushort"
    header = f"# {first}\n\ndefine Lattice 3 4 5\nLattice {{ {name} Labels }} {kind}\n\n# Data section follows\n@1\n"
    (tmp_path / "a.am").write_bytes(header.encode() + data)
    if coding == "cut":
        with pytest.raises(InputError, match=r"a\.am: "):
            read_image(tmp_path / "a.am", ReadOptions())
    else:
        np.testing.assert_array_equal(read_image(tmp_path / "a.am", ReadOptions())[0], GRID)
