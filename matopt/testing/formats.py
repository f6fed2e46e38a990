"""What every format of image files must do, as tests to inherit."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from matopt.data.images.format_lookup import all_formats, format_named
from matopt.data.images.formats.base import Format, WritableFormat
from matopt.data.images.read_options import ReadOptions
from matopt.data.images.readers import read_grey
from matopt.errors import FailureError, InputError
from matopt.microstructures import Microstructures

Save = Callable[[Path, np.ndarray], None]
"""Writes a file of the format that holds an image of uint8 zeros and ones."""

Read = Callable[[Path, np.ndarray], np.ndarray]
"""Reads a file that holds, or should hold, a given image."""


class FormatConformance:
    """The contract of :class:`matopt.data.images.formats.base.Format`.

    Inherit it, and say with fixtures how the format is named and how a file of it is made::

        class TestDump(FormatConformance):
            @pytest.fixture
            def name(self):
                return "reader.py:Dump"

            @pytest.fixture
            def save(self):
                return lambda path, image: path.write_text(...)

    Override ``shapes`` where a file holds a slice alone, and ``told`` where the reader must be told something.
    """

    @pytest.fixture
    def name(self) -> str:
        """The format's name in a study: that of the registry, or ``path.py:Name``."""
        raise NotImplementedError("override the fixture 'name'")

    @pytest.fixture
    def save(self) -> Save:
        """A function that writes an image to a path, as other programs do."""
        raise NotImplementedError("override the fixture 'save'")

    @pytest.fixture
    def shapes(self) -> list[tuple[int, ...]]:
        """Shapes that a file can hold, the first one of two axes."""
        return [(24, 28), (5, 24, 28)]

    @pytest.fixture
    def told(self) -> Callable[[np.ndarray], dict[str, Any]]:
        """A function that returns the reading options without which a file of this image cannot be read."""
        return lambda image: {}

    @pytest.fixture
    def form(self, name: str) -> Format:
        """The format itself."""
        return format_named(name)

    @pytest.fixture
    def images(self, shapes: list[tuple[int, ...]]) -> list[np.ndarray]:
        """Images of these shapes, of two phases in patches of 2 voxels."""
        random = np.random.default_rng(0)
        return [_patches(random, shape) for shape in shapes]

    @pytest.fixture
    def path(self, tmp_path: Path, form: Format) -> Path:
        """Where a file of the format goes."""
        return tmp_path / f"image{_ending(form)}"

    @pytest.fixture
    def read(self, name: str, told: Callable[[np.ndarray], dict[str, Any]]) -> Read:
        """Reads a file as a study that names the format does."""
        return lambda path, image: read_grey(path, ReadOptions(format=name, **told(image)))

    def test_what_was_saved_is_read_back(self, save: Save, read: Read, images: list[np.ndarray], path: Path) -> None:
        """Voxel by voxel, axes in order; and again from a zip of the file."""
        for image in images:
            save(path, image)
            np.testing.assert_array_equal(read(path, image), image)
            with zipfile.ZipFile(path.with_suffix(".zip"), "w") as archive:
                archive.write(path, f"scan/{path.name}")
            np.testing.assert_array_equal(read(path.with_suffix(".zip"), image), image)

    def test_its_endings_are_its_own(self, form: Format) -> None:
        """With a dot, in lower case, and of no other format."""
        others = [other for other in all_formats() if type(other) is not type(form)]
        for ending in form.endings:
            assert ending.startswith(".") and ending == ending.lower()
            assert not [other for other in others if ending in other.endings]

    def test_a_folder_is_read_in_natural_order(
        self, save: Save, name: str, form: Format, images: list[np.ndarray], tmp_path: Path
    ) -> None:
        """Slice 10 comes after slice 9."""
        if not form.is_slice:
            pytest.skip("this format has no slices")
        slices = [np.roll(images[0], shift) for shift in range(12)]
        for number, image in enumerate(slices):
            save(tmp_path / f"slice_{number}{_ending(form)}", image)
        np.testing.assert_array_equal(read_grey(tmp_path, ReadOptions(format=name)), np.stack(slices))

    def test_an_empty_file_is_refused(self, read: Read, images: list[np.ndarray], path: Path) -> None:
        """As empty, before the format is asked."""
        path.touch()
        with pytest.raises(InputError, match="empty"):
            read(path, images[0])

    def test_another_file_is_refused_in_one_line(self, read: Read, images: list[np.ndarray], path: Path) -> None:
        """Text under the format's ending."""
        path.write_bytes(b"This is not the file that you are looking for." * 20)
        with pytest.raises(InputError) as error:
            read(path, images[0])
        _assert_one_line(error.value, path)

    def test_a_file_cut_short_is_refused_in_one_line(
        self, save: Save, read: Read, images: list[np.ndarray], path: Path
    ) -> None:
        """Unless what is missing is not of the image: some formats end in what it does not need."""
        for image in images:
            save(path, image)
            whole = path.read_bytes()
            for share in np.linspace(0.02, 0.98, 25):
                path.write_bytes(whole[: max(1, int(share * len(whole)))])
                try:
                    found = read(path, image)
                except InputError as error:
                    _assert_one_line(error, path)
                else:
                    assert share > 0.5, f"{share:.0%} of a file is taken for the whole"
                    np.testing.assert_array_equal(found, image)

    def test_damaged_bytes_give_an_image_or_one_line(
        self, save: Save, read: Read, images: list[np.ndarray], path: Path
    ) -> None:
        """A format without checksums cannot tell; but nothing else may be raised."""
        random = np.random.default_rng(0)
        for image in images:
            save(path, image)
            whole = path.read_bytes()
            for place in random.integers(0, len(whole), 40):
                content = bytearray(whole)
                content[place] ^= int(random.integers(1, 256))
                path.write_bytes(content)
                try:
                    assert read(path, image).ndim in (2, 3)
                except (InputError, FailureError) as error:
                    _assert_one_line(error, path)

    def test_what_it_says_of_its_voxels_fits_the_axes(
        self,
        save: Save,
        form: Format,
        images: list[np.ndarray],
        path: Path,
        told: Callable[[np.ndarray], dict[str, Any]],
    ) -> None:
        """Nothing, or an edge for each axis of what is read."""
        for image in images:
            save(path, image)
            with path.open("rb") as stream:
                axes = form.read(stream, ReadOptions(**told(image))).ndim
                stream.seek(0)
                said = form.spacing(stream, ReadOptions(**told(image)))
            assert said is None or len(said.edges) == axes

    def test_options_that_it_does_not_use_are_refused(
        self, save: Save, name: str, form: Format, images: list[np.ndarray], path: Path
    ) -> None:
        """By name, so that none is silently ignored."""
        save(path, images[0])
        given = {
            "variable": ReadOptions(format=name, variable="uint8"),
            "dtype": ReadOptions(format=name, dtype="uint8"),
            "offset": ReadOptions(format=name, offset=8),
        }
        for option in given.keys() - set(form.uses):
            with pytest.raises(InputError, match=f"leave `{option}` out"):
                read_grey(path, given[option])

    def test_microstructures_that_it_writes_are_read_back(self, form: Format, images: list[np.ndarray]) -> None:
        """One image and one volume; phase by phase, whatever their grey levels are in the file."""
        if not isinstance(form, WritableFormat):
            pytest.skip("this format is not written")
        for phases in images:
            stream = io.BytesIO()
            form.write(stream, Microstructures(phases[None], 1e-6))
            stream.seek(0)
            grey = form.read(stream, ReadOptions())
            np.testing.assert_array_equal((grey == grey.max()).reshape(phases.shape), phases)


def _patches(random: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    coarse = random.random(tuple(-(-n // 2) for n in shape)) < 0.6
    fine = np.kron(coarse, np.ones((2,) * len(shape), bool))
    return fine[tuple(slice(n) for n in shape)].astype(np.uint8)


def _ending(form: Format) -> str:
    return form.endings[0] if form.endings else ".image"


def _assert_one_line(error: BaseException, path: Path) -> None:
    assert str(error).startswith(str(path))
    assert "\n" not in str(error)
