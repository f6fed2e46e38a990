"""Markov random fields on a processor: what :mod:`matopt.generators.markov.raster` does, in compiled loops."""

from __future__ import annotations

import numpy as np
import torch

from matopt.generators.markov import kernels
from matopt.generators.markov.forest import BITS, Forest
from matopt.generators.markov.raster import Correction

AT_ONCE = kernels.WORD * kernels.WORDS


def draw(
    forest: Forest, lags: torch.Tensor, first: torch.Tensor, needed: torch.Tensor, correction: Correction
) -> torch.Tensor:
    """Draw voxels of sequences, see :func:`matopt.generators.markov.raster.draw`."""
    trees = _arranged(forest, lags.numpy())
    digits, gain = forest.largest_total.bit_length(), correction.gain
    counts, due = correction.counts.numpy(), correction.due.numpy()
    phases = []
    for given, enough in zip(first.split(AT_ONCE, 1), needed.split(AT_ONCE, 1), strict=True):
        n = given.shape[1]
        words = np.zeros((len(given) + len(enough), kernels.WORDS), np.int64)
        words[: len(given)] = _packed(given.numpy())
        limits = np.zeros((len(enough), AT_ONCE), np.int32)
        limits[:, :n] = enough
        kernels.draw(words, limits, *trees, digits, counts, due, gain)
        phases.append(np.unpackbits(words.view(np.uint8), axis=1, count=n, bitorder="little"))
    return torch.from_numpy(np.concatenate(phases, 1))


def _packed(phases: np.ndarray) -> np.ndarray:
    """Pack phases ``(L, n)`` into words ``(L, WORDS)``."""
    padded = np.zeros((len(phases), AT_ONCE), np.uint8)
    padded[:, : phases.shape[1]] = phases
    return np.packbits(padded, axis=1, bitorder="little").view(np.int64)


def _arranged(forest: Forest, lags: np.ndarray) -> tuple[np.ndarray, ...]:
    """List the inner nodes of all trees, and the leaves by the digits of their values; see :func:`kernels.draw`."""
    feature, children, value = (a.numpy() for a in (forest.feature, forest.children, forest.value))
    roots = forest.roots.numpy()
    tree = np.repeat(np.arange(len(roots)), np.diff(np.append(roots, len(feature))))
    number = np.arange(len(feature)) - roots[tree]
    inner = np.flatnonzero(feature >= 0)
    first_node = np.searchsorted(tree[inner], np.arange(len(roots) + 1))
    has_digit = (value[:, None] >> np.arange(BITS)) & 1  # an inner node's value is 0
    at, digit = np.nonzero(has_digit)
    group = tree[at] * BITS + digit
    order = np.argsort(group, kind="stable")
    first_member = np.searchsorted(group[order], np.arange(len(roots) * BITS + 1))
    inner_children = children[inner] - roots[tree[inner], None]
    return lags[feature[inner]], number[inner], inner_children, first_node, number[at][order], first_member
