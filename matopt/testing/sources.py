"""What every source of microstructures must do, as tests to inherit."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from matopt.data.sources.base import Source
from matopt.data.windows.window import Window
from matopt.errors import InputError
from matopt.registry import content_key


class SourceConformance:
    """The contract of :class:`matopt.data.sources.base.Source`.

    Inherit it, and say with fixtures how the source is made, and how with another setting::

        class TestMine(SourceConformance):
            @pytest.fixture
            def make(self):
                return lambda: Mine(radius="3 um")

            @pytest.fixture
            def changed(self):
                return Mine(radius="4 um")

    Override ``window`` where the source has no windows of 16 voxels, and ``too_many`` where it can run out.
    """

    @pytest.fixture
    def make(self) -> Callable[[], Source]:
        """A function that returns the source, new each time."""
        raise NotImplementedError("override the fixture 'make'")

    @pytest.fixture
    def changed(self) -> Source:
        """The source with another setting, from which other microstructures follow."""
        raise NotImplementedError("override the fixture 'changed'")

    @pytest.fixture
    def window(self) -> Window:
        """How microstructures are cut; in two dimensions."""
        return Window(16)

    @pytest.fixture
    def too_many(self) -> int | None:
        """More windows than the source holds; None for a source that never runs out."""
        return None

    def test_each_split_has_as_many_microstructures_as_were_asked_for(
        self, make: Callable[[], Source], window: Window
    ) -> None:
        """In the order asked for, of the window's size, and none where none were asked for."""
        parts = make().split(window, {"train": 5, "validation": 0, "test": 3}, seed=0)
        assert {name: len(part) for name, part in parts.items()} == {"train": 5, "validation": 0, "test": 3}
        assert list(parts) == ["train", "validation", "test"]
        assert {part.shape for part in parts.values()} == {(window.size, window.size)}
        assert len({part.voxel_size for part in parts.values()}) == 1

    def test_splits_have_nothing_in_common(self, make: Callable[[], Source], window: Window) -> None:
        """No microstructure is in two splits, and none is there twice; one phase alone says nothing here."""
        parts = make().split(window, {"train": 6, "test": 6}, seed=0)
        drawn = [
            image
            for part in parts.values()
            for image, porosity in zip(part.hashes, part.porosity, strict=True)
            if 0 < porosity < 1
        ]
        assert drawn, "all windows are of one phase; override the fixture 'window' with a larger one"
        assert len(set(drawn)) == len(drawn)

    def test_the_same_seed_draws_the_same_microstructures(self, make: Callable[[], Source], window: Window) -> None:
        """From a new source too, whatever NumPy's own random state is; and another seed draws others."""
        counts = {"train": 4, "test": 2}
        first = make().split(window, counts, seed=1)
        np.random.seed(7)  # noqa: NPY002 (the state that a source must not use)
        again, other = make().split(window, counts, seed=1), make().split(window, counts, seed=2)
        assert {name: part.hashes for name, part in again.items()} == {n: part.hashes for n, part in first.items()}
        assert {name: part.hashes for name, part in other.items()} != {n: part.hashes for n, part in first.items()}

    def test_the_fingerprint_follows_from_the_settings(self, make: Callable[[], Source], changed: Source) -> None:
        """It is of JSON values, the same for the same settings, and another for others."""
        fingerprint = make().fingerprint()
        assert json.loads(json.dumps(fingerprint, allow_nan=False)) == fingerprint
        assert content_key(make().fingerprint()) == content_key(fingerprint)
        assert content_key(changed.fingerprint()) != content_key(fingerprint)

    def test_a_zoom_makes_more_and_smaller_voxels(self, make: Callable[[], Source], window: Window) -> None:
        """As many times more along each axis as the voxel size is divided by; the porosity stays."""
        plain = make().split(window, {"train": 3}, seed=0)["train"]
        zoomed = make().split(replace(window, zoom=2), {"train": 3}, seed=0)["train"]
        assert zoomed.shape == (2 * window.size, 2 * window.size)
        assert zoomed.voxel_size == pytest.approx(plain.voxel_size / 2, rel=1e-12)
        np.testing.assert_allclose(zoomed.porosity, plain.porosity, atol=0.02)

    def test_volumes_are_cut_or_refused(self, make: Callable[[], Source], window: Window) -> None:
        """A source of images says in one line that it has no volumes."""
        in_space = replace(window, dimensions=3)
        try:
            parts = make().split(in_space, {"train": 2, "test": 1}, seed=0)
        except InputError as error:
            _assert_one_line(error)
        else:
            assert {part.shape for part in parts.values()} == {(window.size,) * 3}
            assert [len(part) for part in parts.values()] == [2, 1]

    @pytest.mark.parametrize(
        "change", [{"size": 0}, {"stride": 0}, {"zoom": 0}, {"size": 8.5}, {"dimensions": 4}], ids=str
    )
    def test_windows_that_cannot_be_are_refused(
        self, make: Callable[[], Source], window: Window, change: dict[str, int]
    ) -> None:
        """In one line that names the setting."""
        with pytest.raises(InputError, match=next(iter(change))) as error:
            make().split(replace(window, **change), {"train": 1}, seed=0)
        _assert_one_line(error.value)

    def test_a_count_that_is_none_is_refused(self, make: Callable[[], Source], window: Window) -> None:
        """In one line that names the split."""
        with pytest.raises(InputError, match="train") as error:
            make().split(window, {"train": -1}, seed=0)
        _assert_one_line(error.value)

    def test_a_split_that_cannot_be_filled_is_refused_with_what_could(
        self, make: Callable[[], Source], window: Window, too_many: int | None
    ) -> None:
        """In one line that names the split."""
        if too_many is None:
            pytest.skip("this source never runs out")
        with pytest.raises(InputError, match=r"train.*\d") as error:
            make().split(window, {"train": too_many, "test": 1}, seed=0)
        _assert_one_line(error.value)


def _assert_one_line(error: BaseException) -> None:
    assert str(error)
    assert "\n" not in str(error)
