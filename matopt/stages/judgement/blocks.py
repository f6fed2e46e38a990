"""An authentic pool from a scan, cut into blocks that count as independent of each other."""

from __future__ import annotations

import numpy as np

from matopt.data.windows.scan import Windows
from matopt.stages.judgement.resampling import AuthenticPool


def blocked(windows: Windows, block: tuple[int, int, int]) -> AuthenticPool:
    """Cut all windows that lie in one block of a scan each; the windows of a block are a group.

    Neighbouring windows look alike, and overlap where the stride is less than the size: as they are drawn together or
    not at all, pairs of sets differ as regions of the material do. Blocks should be several decorrelation lengths wide.

    Args:
        windows: of the part of the scan that is held out.
        block: edges along the scan's three axes, in voxels; the last block along an axis may be cut off.

    Raises:
        InputError: too few blocks with a window in them.
    """
    grid = windows.grid
    whole = (0, grid.shape[0])
    corners = grid.corners(0, whole, np.arange(grid.number(0, whole)))
    first, last = corners // block, (corners + np.array(grid.size) - 1) // block
    inside = (first == last).all(1)
    groups = np.unique(first[inside], axis=0, return_inverse=True)[1].reshape(-1)
    return AuthenticPool(windows.cut(corners[inside]), groups)
