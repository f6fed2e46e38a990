"""A blocky alloy: angular blocks of many sizes that hide each other, with specks strewn over both phases."""

from __future__ import annotations

import numpy as np

from matopt.data.processes.periodic import Axes, bodies_in, project

LAYERS = 14.0
"""Volume of all blocks over that of the box: ``exp(-LAYERS)``, one place in a million, lies under no block."""
SPECK_SPREAD = 0.3
"""Standard deviation of the logarithm of the specks' size."""
ELONGATION = 0.3
"""Standard deviation of the logarithms of the three edges, before they are divided by their geometric mean."""


class Cuboids:
    """Cuboids of log-normal sizes, in random places and directions of a periodic box, as many as chance has it.

    Args:
        random: where the numbers come from.
        edge: of the box.
        size: median of the cube root of a cuboid's volume.
        spread: standard deviation of its logarithm.
        layers: expected volume of all cuboids over that of the box.
    """

    def __init__(self, random: np.random.Generator, edge: float, size: float, spread: float, layers: float) -> None:
        self.edge = edge
        mean_volume = size**3 * np.exp(4.5 * spread**2)
        n = random.poisson(layers * edge**3 / mean_volume)
        shape = ELONGATION * random.standard_normal((n, 3))
        shape -= shape.mean(1, keepdims=True)
        self.centre = edge * random.random((n, 3))
        self.half = size / 2 * np.exp(shape + spread * random.standard_normal((n, 1)))
        self.turn = np.linalg.qr(random.standard_normal((n, 3, 3)))[0]
        self.reach = (np.abs(self.turn) * self.half[:, None]).sum(2)

    def contains(self, cuboid: int, axes: Axes) -> np.ndarray:
        """Tell which points of a grid, given relative to a cuboid's centre, lie in it."""
        turn, half = self.turn[cuboid].astype(np.float32), self.half[cuboid].astype(np.float32)
        inside = np.abs(project(axes, turn[:, 0])) < half[0]
        inside &= np.abs(project(axes, turn[:, 1])) < half[1]
        inside &= np.abs(project(axes, turn[:, 2])) < half[2]
        return inside


class DeadLeaves:
    """Blocks that fall one upon the other until nothing else is seen, each of a random phase, and specks on top.

    A place has the phase of the first block that holds it; where a speck holds it, the other phase. In the unit of
    the blocks' median size.

    Args:
        random: where the numbers come from.
        edge: of the box.
        porosity: share of the volume that is pore, specks included.
        spread: standard deviation of the logarithm of the blocks' size.
        speck_share: share of the volume that specks hold.
        speck_size: median edge of a speck.

    Source: Matheron (1968), after Jeulin, *Morphological Models of Random Structures* (2021).
    """

    def __init__(
        self,
        random: np.random.Generator,
        edge: float,
        porosity: float,
        spread: float,
        speck_share: float,
        speck_size: float,
    ) -> None:
        self.blocks = Cuboids(random, edge, 1.0, spread, LAYERS)
        self.specks = Cuboids(random, edge, speck_size, SPECK_SPREAD, -np.log1p(-speck_share))
        pore_blocks = (porosity - speck_share) / (1 - 2 * speck_share)
        self._is_solid = random.random(len(self.blocks.centre)) >= pore_blocks

    def phases(self, corner: np.ndarray, shape: tuple[int, int, int], voxel: float) -> np.ndarray:
        """Compute the phases of a box of voxels; see :class:`matopt.data.sources.base.Specimen`."""
        x, y, z = (c + voxel * np.arange(n) for c, n in zip(corner, shape, strict=True))
        return self.blocks_at((x, y, z)) ^ self.specks_at((x, y, z))

    def blocks_at(self, axes: Axes) -> np.ndarray:
        """Compute the phases that the blocks alone would have on a grid."""
        blocks = self.blocks
        shape = tuple(len(a) for a in axes)
        solid, bare = np.zeros(shape, np.uint8), np.ones(shape, bool)
        left = bare.size
        for block, part, near in bodies_in(axes, blocks.centre, blocks.reach, blocks.edge):
            if not bare[part].any():
                continue
            seen = blocks.contains(block, near) & bare[part]
            bare[part] &= ~seen
            if self._is_solid[block]:
                solid[part] |= seen
            left -= np.count_nonzero(seen)
            if left == 0:
                break
        return solid

    def specks_at(self, axes: Axes) -> np.ndarray:
        """Tell where on a grid a speck lies: 1, else 0."""
        specks = self.specks
        held = np.zeros(tuple(len(a) for a in axes), np.uint8)
        for speck, part, near in bodies_in(axes, specks.centre, specks.reach, specks.edge):
            held[part] |= specks.contains(speck, near)
        return held
