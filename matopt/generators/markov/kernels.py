"""Compiled loops that draw Markov random fields, a bit for each microstructure.

A word holds the same voxel of 64 microstructures, so one operation on words asks a node of a tree for all of them:
which of them come by, and which of those have grain there. Totals are held as binary numbers, each digit in words too.
"""

from __future__ import annotations

import numpy as np

from matopt.generators.markov.forest import BITS
from matopt.physics.numerics.compiler import compiled

WORD = 64
"""Microstructures in a machine word."""
WORDS = 8
"""Machine words that are taken at once, as many as a vector unit holds at most."""


@compiled
def draw(words, needed, lag, node, children, first_node, members, first_member, digits, counts, due, gain):
    """Draw the last P of T voxels of ``WORD * WORDS`` microstructures, each from those before it.

    Args:
        words: ``(T, WORDS)`` int64, the phases; the first T - P are given.
        needed: ``(P, WORD * WORDS)`` totals from which on a voxel is grain.
        lag: ``(M,)`` how many voxels back lies the one that a node asks for, over the inner nodes of all trees.
        node: ``(M,)`` the inner node's number in its tree; the root is 0.
        children: ``(M, 2)`` the numbers of the nodes that it leads to, for pore and for grain.
        first_node: ``(trees + 1,)`` where the inner nodes of each tree begin.
        members: the numbers of the leaves whose value has a digit, over digits, over trees.
        first_member: ``(trees * BITS + 1,)`` where the leaves of each digit of each tree begin.
        digits: binary digits of the largest total.
        counts: ``(P,)`` which voxels count for the solid fraction.
        due: ``(P,)`` how many voxels of grain should have been counted before each.
        gain: what each that is missing adds to the total.
    """
    start = len(words) - len(needed)
    reached = np.empty((np.max(children) + 1 if len(children) else 1, WORDS), np.int64)
    total = np.empty((digits, WORDS), np.int64)
    added, carry = np.empty(WORDS, np.int64), np.empty(WORDS, np.int64)
    sums, grains = np.empty(WORD, np.int32), np.zeros(WORD * WORDS, np.int64)
    for place in range(len(needed)):
        here = start + place
        total[:] = 0
        for tree in range(len(first_node) - 1):
            reached[0] = -1
            for k in range(first_node[tree], first_node[tree + 1]):
                parent, by_pore, by_grain, asked = node[k], children[k, 0], children[k, 1], here - lag[k]
                for w in range(WORDS):
                    comes_by, is_grain = reached[parent, w], words[asked, w]
                    reached[by_pore, w] = comes_by & ~is_grain
                    reached[by_grain, w] = comes_by & is_grain
            carry[:] = 0
            for digit in range(BITS):
                added[:] = 0
                for k in range(first_member[tree * BITS + digit], first_member[tree * BITS + digit + 1]):
                    leaf = members[k]
                    for w in range(WORDS):
                        added[w] |= reached[leaf, w]
                for w in range(WORDS):
                    either, both = total[digit, w] ^ added[w], total[digit, w] & added[w]
                    total[digit, w] = either ^ carry[w]
                    carry[w] = both | (either & carry[w])
            for digit in range(BITS, digits):
                for w in range(WORDS):
                    before = total[digit, w]
                    total[digit, w] = before ^ carry[w]
                    carry[w] &= before
        for w in range(WORDS):
            sums[:] = 0
            for digit in range(digits):
                bits = total[digit, w]
                for i in range(WORD):
                    sums[i] += np.int32((bits >> i) & 1) << digit
            word = np.int64(0)
            for i in range(WORD):
                m = WORD * w + i
                is_solid = np.int64(sums[i] + gain * (due[place] - grains[m]) >= needed[place, m])
                word |= is_solid << i
                grains[m] += is_solid * counts[place]
            words[here, w] = word
