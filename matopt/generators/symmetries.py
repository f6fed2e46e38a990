"""Which images of a training microstructure a generator may learn from in its place."""

from __future__ import annotations

import torch

from matopt.descriptors.fabric import axes_alike, mirror_images_alike
from matopt.errors import warn
from matopt.training.report import Report


def found_flips(images: torch.Tensor, flips: bool | None, report: Report) -> bool:
    """Give a setting, or, where it is None, whether the mirror images of training images are as likely as these.

    Args:
        images: ``(N, 1, *S)`` binary densities.
        flips: the setting.
        report: hears of mirror images that are not learnt from, like a warning, which clusters keep to themselves.
    """
    if flips is None and not (flips := mirror_images_alike(images)):
        warn("mirror images of the training microstructures are told from them, and not learnt from: flips is False")
        report(0, flips=0.0)
    return bool(flips)


def found_transpositions(images: torch.Tensor, transpositions: bool | None, report: Report) -> bool:
    """Give a setting, or, where it is None, whether training images with exchanged axes are as likely as these.

    Args:
        images: ``(N, 1, *S)`` binary densities.
        transpositions: the setting.
        report: hears of axes that are not exchanged, like a warning, which clusters keep to themselves.
    """
    if transpositions is None and not (transpositions := axes_alike(images)):
        warn("the axes of the training microstructures differ, and are not exchanged: transpositions is False")
        report(0, transpositions=0.0)
    return bool(transpositions)
