"""The walls of flow that are compared: exact in slits, and half a voxel away as in other codes."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from unittest.mock import patch

import torch

from matopt.physics.flow import duct
from matopt.physics.flow.friction import Friction
from matopt.physics.numerics.divergence_form import sides


@contextmanager
def half_cell() -> Generator[None]:
    """Walls half a voxel away, of the coupling 2, and only where both voxels beside a velocity have one."""
    with patch.object(duct, "couplings_across", _of_ducts), patch.object(Friction, "couplings", _of_volumes):
        yield


def _of_ducts(open_share: torch.Tensor, axis: int, periodic: bool) -> torch.Tensor:
    behind, ahead = sides(open_share, axis, periodic)
    return 2 - behind * ahead


def _of_volumes(friction: Friction, normal: int) -> list[torch.Tensor]:
    here = friction.drags[:, normal - 1]
    closed = [1 - share for share in friction.open_share.unbind(1)]
    return [
        torch.ones_like(here) if axis == normal else 1 + closed[axis - 1] * closed[axis - 1].roll(-1, normal)
        for axis in range(1, here.ndim)
    ]
