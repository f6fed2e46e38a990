"""Scans, and the windows that are cut from them without leaking between splits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Literal

import numpy as np

from matopt.data.windows.autocorrelation import decorrelation_length
from matopt.data.windows.splitting import Grid, best_origin, blocked_corners, blocks, most
from matopt.data.windows.window import Window
from matopt.data.windows.zoom import enlarged
from matopt.errors import InputError
from matopt.microstructures import OUTSIDE, Microstructures, as_phases
from matopt.units import metres

Stack = Literal["volume", "images"]
"""What axis 0 of three is: space, so that neighbouring slices belong together, or a count of independent images."""


@dataclass(frozen=True, eq=False)
class Scan:
    """A measured microstructure: an image, a stack of images or a volume of two phases, with a voxel size.

    Attributes:
        phases: ``(rows, columns)`` or ``(slices, rows, columns)`` uint8, 1 = grain, 0 = pore,
            :data:`~matopt.microstructures.OUTSIDE` = around the sample, where no window lies.
        voxel_size: the edge of a voxel in metres; text, "5.345 um", becomes metres.
        stack: what axis 0 of three is.

    Raises:
        InputError: other phases, another number of axes, or a voxel size that is no length.
    """

    phases: np.ndarray
    voxel_size: float
    stack: Stack = "volume"
    _lengths: dict[int, int] = field(default_factory=dict, init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "phases", as_phases(self.phases, largest=OUTSIDE))
        if isinstance(self.voxel_size, str):
            object.__setattr__(self, "voxel_size", metres(self.voxel_size))
        if self.phases.ndim not in (2, 3):
            raise InputError(f"a scan has the axes (rows, columns) or (slices, rows, columns), not {self.phases.ndim}")
        if self.stack not in ("volume", "images"):
            raise InputError(f"stack is {self.stack!r}; axis 0 is a `volume`'s or counts `images`")

    @property
    def volume(self) -> np.ndarray:
        """The phases with three axes; the first has length 1 for a single image."""
        return self.phases if self.phases.ndim == 3 else self.phases[None]

    @property
    def is_volume(self) -> bool:
        """Whether axis 0 is an axis of space."""
        return self.phases.ndim == 3 and self.stack == "volume"

    @property
    def porosity(self) -> float:
        """The pore fraction, of what is not outside."""
        inside = np.count_nonzero(self.phases != OUTSIDE) if self.is_masked else self.phases.size
        return (self.phases.size - np.count_nonzero(self.phases)) / inside

    @cached_property
    def is_masked(self) -> bool:
        """Whether part of it is outside the sample."""
        return bool((self.phases == OUTSIDE).any())

    def decorrelation_length(self, axis: int) -> int:
        """Find after how many voxels along an axis of :attr:`volume` phases hardly correlate; computed once."""
        if axis not in self._lengths:
            self._lengths[axis] = decorrelation_length(self.volume, axis)
        return self._lengths[axis]

    def windows(
        self,
        size: int,
        stride: int | None = None,
        zoom: int = 1,
        dimensions: int = 2,
        slice_step: int | None = None,
    ) -> Windows:
        """Lay windows over this scan; the arguments are those of a :class:`~matopt.data.windows.window.Window`.

        By default slices of a volume are as far apart as it takes for them not to look alike.

        Raises:
            InputError: a window larger than the scan, or settings that do not go together.
        """
        return Windows(self, Window(size, stride, zoom, dimensions, slice_step))


@dataclass(frozen=True, eq=False)
class Windows:
    """All windows of one kind that can be cut from a scan. Nothing is cut before :meth:`cut` or :meth:`split`.

    A window is known by its corner ``(a, b, c)``: its first voxel along the axes of the scan, of which an image
    alone has a first axis of length 1. A slice of a volume lies across axis 0.

    Raises:
        InputError: a window larger than the scan, a number that is not positive, 3D windows of images, or a slice
            step where there are no slices.
    """

    scan: Scan
    window: Window

    def __post_init__(self) -> None:
        window, shape = self.window, self.scan.volume.shape
        window.check()
        if window.dimensions == 3 and not self.scan.is_volume:
            raise InputError("window: images have no 3D windows; set `dimensions: 2`, or read a volume")
        if window.slice_step is not None and (window.dimensions == 3 or not self.scan.is_volume):
            raise InputError("window: slice_step is for slices of a volume; leave it out")
        if any(window.size > n for n in shape[-window.dimensions :]):
            extent = " x ".join(map(str, shape[-window.dimensions :]))
            raise InputError(f"window: {window.size} voxels are more than the image has ({extent}); make it smaller")

    def __len__(self) -> int:
        """Count the windows that the scan holds, from its first voxel on."""
        return self.grid.number(0, (0, self.grid.shape[0]))

    @cached_property
    def grid(self) -> Grid:
        """The places of the windows; slices are as far apart as it takes not to correlate, unless it is said."""
        window, shape = self.window, self.scan.volume.shape
        stride = window.stride or window.size
        deep, across = window.size, stride
        if window.dimensions == 2:
            deep = 1
            across = window.slice_step or self.scan.decorrelation_length(0) if self.scan.is_volume else 1
        size, step = (deep, window.size, window.size), (across, stride, stride)
        if not self.scan.is_masked:
            return Grid(shape, size, step)
        blocked = blocked_corners(self.scan.volume == OUTSIDE, size)
        return Grid(shape, size, step, blocked, best_origin(blocked, size, step))

    def split(
        self, *unnamed: int, seed: int = 0, buffer: int | None = None, **counts: int
    ) -> tuple[Microstructures, ...]:
        """Cut microstructures for each split, in the order given: ``train, test = w.split(train=200, test=100)``.

        Arguments and errors as for :meth:`choose`; counts without names are refused.
        """
        if unnamed or not counts:
            numbers = zip(("train", "test", "validation"), unnamed or (200, 100), strict=False)
            named = ", ".join(f"{name}={n}" for name, n in numbers)
            raise InputError(f"split: give each number of windows a name, as `windows.split({named})`")
        return tuple(self.cut(corners) for corners in self.choose(counts, seed, buffer).values())

    def choose(self, counts: Mapping[str, int], seed: int = 0, buffer: int | None = None) -> dict[str, np.ndarray]:
        """Choose windows for each split, such that no two splits share a voxel or have voxels close together.

        Each split has a block of axis 0 to itself: slices of a volume, or images of a stack in a random order. Where
        that cannot hold the counts (a single image, few images) the blocks lie along the first axis of the plane that
        can. Within its block a split takes windows at random; they overlap if the stride is less than the size.

        Args:
            counts: how many windows for each name.
            seed: of the choice.
            buffer: voxels between two blocks. By default as many as it takes for the correlation to fall below
                :data:`matopt.data.windows.autocorrelation.DECORRELATED` (see there); none between images.

        Returns:
            ``(count, 3)`` corners for each name, in the order of the scan.

        Raises:
            InputError: a split cannot be filled; the message says with how many it could.
        """
        for name, count in counts.items():
            if isinstance(count, bool) or not isinstance(count, (int, np.integer)) or count < 0:
                raise InputError(f"split: {name} must be a number of windows, not {count!r}")
        if buffer is not None and buffer < 0:
            raise InputError(f"split: buffer must be 0 or more voxels, not {buffer}")
        random = np.random.default_rng(seed)
        grid = self.grid
        order = np.arange(grid.shape[0]) if self.scan.is_volume else random.permutation(grid.shape[0])
        if grid.blocked is not None:
            grid = replace(grid, blocked=grid.blocked[order])
        several = sum(count > 0 for count in counts.values()) > 1
        gaps = {}
        for axis in range(3):
            gaps[axis] = self._gap(axis, buffer) if several else 0
            if (edges := blocks(grid, axis, list(counts.values()), gaps[axis])) is not None:
                break
        else:
            raise InputError(self._cannot_hold(counts, gaps))
        chosen = {}
        for (name, count), block in zip(counts.items(), edges, strict=True):
            numbers = random.choice(grid.number(axis, block), count, replace=False) if count else np.arange(0)
            corners = grid.corners(axis, block, np.sort(numbers))
            corners[:, 0] = order[corners[:, 0]]
            chosen[name] = corners
        return chosen

    def cut(self, corners: np.ndarray) -> Microstructures:
        """Cut the microstructures at ``(N, 3)`` corners, and enlarge them by the window's zoom.

        Raises:
            FailureError: they do not fit into memory.
        """
        size, zoom = self.window.size, self.window.zoom
        flat = self.window.dimensions == 2
        cuts = self.window.room_for(len(corners))
        for i, (a, b, c) in enumerate(corners):
            part = self.scan.volume[a if flat else slice(a, a + size), b : b + size, c : c + size]
            cuts[i] = part if zoom == 1 else enlarged(part, zoom)
        return Microstructures(cuts, self.scan.voxel_size / zoom)

    def _gap(self, axis: int, buffer: int | None) -> int:
        if axis == 0 and not self.scan.is_volume:
            return 0
        return self.scan.decorrelation_length(axis) if buffer is None else buffer

    def _cannot_hold(self, counts: Mapping[str, int], gaps: Mapping[int, int]) -> str:
        if len(self) == 0:
            return f"split: no window of {self.window.size} voxels lies wholly in the sample; make it smaller"
        could = [(most(self.grid, axis, counts, gaps[axis]), axis) for axis in gaps]
        change = self._remedy(counts, gaps)
        wanted = _listed(counts)
        fitting = [(held, axis) for held, axis in could if held is not None]
        if not fitting:
            apart = " or ".join(str(gap) for gap in sorted(set(gaps.values())))
            return f"split: the scan cannot hold {wanted}, not even one window each, {apart} voxels apart; {change}"
        held, axis = max(fitting, key=lambda pair: sum(pair[0].values()))
        return (
            f"split: the scan cannot hold {wanted} with no voxel in two of them; it holds {_listed(held)} "
            f"(in blocks along axis {axis}, {gaps[axis]} voxels apart); {change}"
        )

    def _remedy(self, counts: Mapping[str, int], gaps: Mapping[int, int]) -> str:
        """Suggest what to change: the first of closer strides and slices that holds the counts, or whatever might."""
        step, stride, _ = self.grid.step
        has_slices = self.window.dimensions == 2 and self.scan.is_volume
        for near in (stride // 2, stride // 4):
            for slices in (step, step // 2, 1) if has_slices else (step,):
                first = near if self.window.dimensions == 3 else slices
                if near < 1 or first < 1:
                    continue
                grid = replace(self.grid, step=(first, near, near))
                if any(blocks(grid, axis, list(counts.values()), gap) for axis, gap in gaps.items()):
                    closer = "" if slices == step else f", slice_step: {slices}"
                    return f"with `stride: {near}{closer}` it would hold them, in windows that overlap or look alike"
        among = f", the slice_step ({step})" if has_slices else ""
        return f"lower the counts, the stride ({stride}){among} or the size ({self.window.size})"


def _listed(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in counts.items())
