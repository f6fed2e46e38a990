"""Material properties and tables of their values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any, Literal, Protocol

import numpy as np

from matopt.errors import InputError

if TYPE_CHECKING:
    import torch

OK = "ok"
NON_PERCOLATING = "non_percolating"
NOT_CONVERGED = "not_converged"
STATUSES = (OK, NON_PERCOLATING, NOT_CONVERGED)
"""What a simulator says of a value: right; exactly zero because no cluster carries flow or load across the
sample; not reached within the iterations allowed (the residual says how far it got)."""


class Bounds(Protocol):
    """The lower and the upper bound of a property, as a function of the microstructure."""

    def __call__(self, density: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """``(N,)`` lower and upper bounds, SI units, of densities ``(N, 1, *S)``; differentiable in them."""
        ...


@dataclass(frozen=True)
class Property:
    """A property of a microstructure, with all that models, traits and figures need to know of it.

    Attributes:
        name: "youngs_modulus"; the key in files, tables, metrics and studies.
        symbol: how it is written on an axis, in mathtext: "E".
        unit: the SI unit of every value in memory and on disk: "Pa", "m^2", "1".
        display_unit, display_factor: the unit at the edges, and what an SI value is multiplied by to get there.
        scale: the scale on which its values spread evenly, which a predictor learns.
        constants: the physics behind the values, as (name, SI value) pairs: the grain's modulus, say.
        title: the name as people write it, where it is not the words of ``name``: "Young's modulus".
        increases_with_solid: whether the value never falls (True) or never rises (False) as the solid fraction of any
            voxel rises; None where neither holds.
        bounds: what isotropic microstructures keep to, as the simulator states it: of Hashin and Shtrikman, say. None
            where none are known. They belong to no comparison, and are not saved with models (:meth:`plain`).
    """

    name: str
    symbol: str
    unit: str
    display_unit: str
    display_factor: float = 1.0
    scale: Literal["linear", "log"] = "linear"
    constants: tuple[tuple[str, float], ...] = ()
    title: str = ""
    increases_with_solid: bool | None = None
    bounds: Bounds | None = field(default=None, compare=False, repr=False)

    @property
    def words(self) -> str:
        """The name as people write it."""
        return self.title or self.name.replace("_", " ")

    def on_scale(self, values: np.ndarray) -> np.ndarray:
        """Put SI ``values`` on the scale of :attr:`scale`: as they are, or as their natural logarithms.

        Raises:
            InputError: a value that is not positive on a log scale.
        """
        if self.scale == "linear":
            return values
        if (values <= 0).any():
            raise InputError(
                f"{self.name} has a log scale and a usable value of {values.min():.3g}; values must be positive"
            )
        return np.log(values)

    def constant(self, name: str) -> float:
        """The SI value of a constant; ``KeyError`` where the property has none of this name."""
        return dict(self.constants)[name]

    def plain(self) -> dict[str, Any]:
        """All fields as plain values, for files; of the bounds no more than whether there are any."""
        return {f.name: getattr(self, f.name) for f in fields(self)} | {"bounds": self.bounds is not None}

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> Property:
        """The property whose :meth:`plain` this is. Bounds that it had raise an InputError where they are asked for."""
        values: dict[str, Any] = {**plain, "bounds": _LostBounds(plain["name"]) if plain.get("bounds") else None}
        return cls(**values)


@dataclass(frozen=True)
class _LostBounds:
    """Takes the place of bounds that were not saved, so that nobody mistakes the property for one without bounds."""

    name: str

    def __call__(self, density: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        raise InputError(
            f"the bounds of {self.name} are not saved with a model; audit it against the physics, "
            "or set the model's properties to those of the simulators"
        )


@dataclass(frozen=True, eq=False)
class PropertyTable:
    """Values of P properties for N microstructures, with what the simulators said of each.

    Attributes:
        properties: the P columns.
        values: ``(N, P)`` float64, SI units. Finite where the status is ``ok`` or ``not_converged``; 0 where
            ``non_percolating``.
        status: ``(N, P)`` strings out of :data:`STATUSES`.
        residual: ``(N, P)`` float64, the relative residual that the solver reached.
    """

    properties: tuple[Property, ...]
    values: np.ndarray
    status: np.ndarray
    residual: np.ndarray

    def __post_init__(self) -> None:
        expected = (len(self.values), len(self.properties))
        for name in ("values", "status", "residual"):
            if getattr(self, name).shape != expected:
                raise ValueError(f"{name} has shape {getattr(self, name).shape}, expected {expected}")

    def __len__(self) -> int:
        return len(self.values)

    def __getitem__(self, index: slice | Sequence[int] | np.ndarray) -> PropertyTable:
        """The rows of ``index`` (a slice, a list of numbers or a mask)."""
        return PropertyTable(self.properties, self.values[index], self.status[index], self.residual[index])

    @property
    def names(self) -> list[str]:
        """The columns' names."""
        return [p.name for p in self.properties]

    @property
    def is_usable(self) -> np.ndarray:
        """``(N, P)`` bool: the value may be learnt from (``ok``)."""
        return self.status == OK

    def column(self, name: str) -> np.ndarray:
        """``(N,)`` values of one property."""
        return self.values[:, self.names.index(name)]

    def counts(self) -> dict[str, dict[str, int]]:
        """How many samples have which status, by property."""
        return {
            p.name: {s: int((self.status[:, i] == s).sum()) for s in STATUSES} for i, p in enumerate(self.properties)
        }

    @staticmethod
    def concatenate(tables: Sequence[PropertyTable]) -> PropertyTable:
        """The rows of several tables with the same columns, in order."""
        if len({tuple(t.names) for t in tables}) != 1:
            raise ValueError("tables of different properties cannot be concatenated")
        return PropertyTable(
            tables[0].properties,
            np.concatenate([t.values for t in tables]),
            np.concatenate([t.status for t in tables]),
            np.concatenate([t.residual for t in tables]),
        )
