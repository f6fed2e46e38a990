"""What people give to models, and what to write in place of what fits none."""

from __future__ import annotations

from typing import Any

import torch

from matopt.errors import InputError
from matopt.microstructures import Microstructures
from matopt.properties import PropertyTable


def require_microstructures(name: str, given: Any) -> None:
    """Refuse anything else, whose shape and voxel size would be a guess.

    Raises:
        InputError: it is something else.
    """
    if not isinstance(given, Microstructures):
        raise InputError(
            f"{name}: it learns from Microstructures, not from a {type(given).__name__}; "
            "write Microstructures(array, '5.345 um')"
        )


def require_labelled(name: str, given: Any, labels: Any) -> None:
    """Refuse what are no microstructures with a row of properties each.

    Raises:
        InputError: they are not.
    """
    require_microstructures(name, given)
    if not isinstance(labels, PropertyTable):
        raise InputError(
            f"{name}: it learns from a PropertyTable, not from a {type(labels).__name__}; "
            "write simulate(microstructures, ['youngs_modulus'])"
        )
    if len(given) != len(labels):
        raise InputError(f"{name}: {len(given)} microstructures and {len(labels)} rows of properties; each needs a row")


def require_alike(
    name: str, train: tuple[Microstructures, PropertyTable], validation: tuple[Microstructures, PropertyTable]
) -> None:
    """Refuse a validation set of other properties or of another kind of sample than is learnt from.

    Raises:
        InputError: it is.
    """
    (microstructures, labels), (others, table) = train, validation
    if table.names != labels.names:
        raise InputError(f"{name}: the labels of training and validation microstructures are of different properties")
    if others.shape != microstructures.shape or others.voxel_size != microstructures.voxel_size:
        raise InputError(f"{name}: training and validation microstructures differ in shape or voxel size")


def densities(name: str, given: torch.Tensor | Microstructures) -> torch.Tensor:
    """Return the densities ``(N, 1, *S)`` of microstructures; densities are returned as they are.

    Raises:
        InputError: an array, or a tensor of whole numbers or without an axis of channels.
    """
    if isinstance(given, Microstructures):
        return given.density()
    if not (isinstance(given, torch.Tensor) and given.is_floating_point() and given.ndim in (4, 5)):
        held = f"{type(given).__name__} of {tuple(given.shape)}" if hasattr(given, "shape") else type(given).__name__
        raise InputError(
            f"{name}: it predicts for Microstructures, or for densities (N, 1, *S) as a float tensor, not for a {held}"
            "; write Microstructures(array, '5.345 um')"
        )
    return given
