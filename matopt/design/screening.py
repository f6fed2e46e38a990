"""Draw and screen: the best of several microstructures drawn for each design, which any climb starts from."""

from __future__ import annotations

from matopt.design.problem import Candidates, DesignProblem
from matopt.errors import InputError


def screened(problem: DesignProblem, designs: Candidates, draws: int, seed: int) -> Candidates:
    """Draw microstructures in place of each design, and keep the best of them and of the design itself.

    Where the space cannot draw, the designs are returned as they are.

    Args:
        problem: what is wanted.
        designs: N designs.
        draws: for each.
        seed: of the first draw; the others follow.
    """
    if not problem.space.knows_material:
        return designs
    for number in range(draws):
        drawn = problem.draw(seed + number)
        designs = designs.updated(drawn, drawn.is_better_than(designs))
    return designs


def require_draws(draws: int) -> int:
    """Return a number of draws.

    Raises:
        InputError: it is negative.
    """
    if draws < 0:
        raise InputError(f"draws must be at least 0, got {draws}")
    return draws
