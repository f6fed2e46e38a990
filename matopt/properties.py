"""Material properties and tables of their values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import TYPE_CHECKING, Any, Literal, Protocol

import numpy as np

from matopt.errors import InputError
from matopt.spelling import suggestion

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


class Contributions(Protocol):
    """What each voxel contributes to a property: a field whose mean over the voxels is the value, nowhere negative."""

    def __call__(self, density: torch.Tensor, voxel_size: float) -> torch.Tensor | None:
        """``(N, 1, *S)`` of densities of the same shape, SI units; not differentiable.

        None where the simulator tells none of samples of these dimensions.
        """
        ...


@dataclass(frozen=True)
class Symmetry:
    """What may be done to a sample without changing its property, besides mirroring it along an axis.

    Attributes:
        shifts: the sample may be moved on a torus: what leaves it on one side comes in on the other, as where the
            physics is periodic.
        alike: axes of space of which any two may be exchanged.
    """

    shifts: bool = False
    alike: tuple[int, ...] = ()

    @staticmethod
    def common(symmetries: Sequence[Symmetry]) -> Symmetry:
        """What all of them allow."""
        alike = set(symmetries[0].alike).intersection(*(s.alike for s in symmetries))
        return Symmetry(all(s.shifts for s in symmetries), tuple(sorted(alike)) if len(alike) > 1 else ())


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
        symmetries: of sections and of volumes, as the simulator's boundary conditions make them.
        length_power: the power of a length that it goes with where a microstructure of two phases is enlarged: 2 for
            permeability, 0 where size does not matter; None where it is not known.
        conducts_in: the numbers of dimensions of samples, out of 2 and 3, of which it is a conductivity along axis 0 of
            space: of a current, or of a fluid. Predictors may then go by a coarse solution.
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
    symmetries: tuple[Symmetry, Symmetry] = (Symmetry(), Symmetry())
    length_power: int | None = None
    conducts_in: tuple[int, ...] = ()
    bounds: Bounds | None = field(default=None, compare=False, repr=False)
    contributions: Contributions | None = field(default=None, compare=False, repr=False)

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

    def symmetry(self, dimensions: int) -> Symmetry:
        """The symmetry of samples of 2 or 3 dimensions."""
        return self.symmetries[dimensions - 2]

    def plain(self) -> dict[str, Any]:
        """All fields as plain values, for files; of the bounds no more than whether there are any, no contributions."""
        values = {f.name: getattr(self, f.name) for f in fields(self) if f.name != "contributions"}
        return values | {"symmetries": [asdict(s) for s in self.symmetries], "bounds": self.bounds is not None}

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> Property:
        """The property whose :meth:`plain` this is. Bounds that it had raise an InputError where they are asked for."""
        values: dict[str, Any] = {**plain, "bounds": _LostBounds(plain["name"]) if plain.get("bounds") else None}
        if "symmetries" in plain:
            values["symmetries"] = tuple(Symmetry(s["shifts"], tuple(s["alike"])) for s in plain["symmetries"])
        values["conducts_in"] = tuple(plain.get("conducts_in", ()))
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
        exchanged: ``(N, P, d - 1)`` float64, the values of the same samples with axis 0 and axis 1, 2, ... of space
            exchanged, where the solve told them too; NaN where it did not. None where it told none.
    """

    properties: tuple[Property, ...]
    values: np.ndarray
    status: np.ndarray
    residual: np.ndarray
    exchanged: np.ndarray | None = None

    def __post_init__(self) -> None:
        expected = (len(self.values), len(self.properties))
        for name in ("values", "status", "residual"):
            if getattr(self, name).shape != expected:
                raise ValueError(f"{name} has shape {getattr(self, name).shape}, expected {expected}")
        if self.exchanged is not None and self.exchanged.shape[:-1] != expected:
            raise ValueError(f"exchanged has shape {self.exchanged.shape}, expected {expected} and an axis of axes")

    def __len__(self) -> int:
        return len(self.values)

    def __repr__(self) -> str:
        """A line a property: how many values there are, and which."""
        lines = []
        for i, p in enumerate(self.properties):
            usable = self.values[self.is_usable[:, i], i] * p.display_factor
            unit = "" if p.display_unit == "1" else f" {p.display_unit}"
            span = f", {usable.min():.4g} to {usable.max():.4g}{unit}" if len(usable) else ""
            lines.append(f"  {p.name}: {len(usable)} of {len(self)} ok{span}")
        return "\n".join([f"PropertyTable of {len(self)} microstructures", *lines])

    def __getitem__(self, index: int | slice | Sequence[int] | np.ndarray) -> PropertyTable:
        """The rows of ``index`` (a number, a slice, a list of numbers or a mask); one is a table of one row.

        Raises:
            InputError: the name of a property: :meth:`column` has its values.
            IndexError: there is no such row.
        """
        if isinstance(index, str):
            raise InputError(f"a table's rows are selected by number; the values of a property are column({index!r})")
        if isinstance(index, (int, np.integer)):
            return self[[int(index)]]
        exchanged = None if self.exchanged is None else self.exchanged[index]
        return PropertyTable(self.properties, self.values[index], self.status[index], self.residual[index], exchanged)

    @property
    def names(self) -> list[str]:
        """The columns' names."""
        return [p.name for p in self.properties]

    @property
    def is_usable(self) -> np.ndarray:
        """``(N, P)`` bool: the value may be learnt from (``ok``)."""
        return self.status == OK

    @property
    def along(self) -> np.ndarray:
        """``(N, P, D)`` values along each axis of space that may be known: :attr:`values`, then :attr:`exchanged`."""
        values = self.values[..., None]
        return values if self.exchanged is None else np.concatenate([values, self.exchanged], 2)

    def column(self, name: str) -> np.ndarray:
        """``(N,)`` values of one property.

        Raises:
            InputError: the table has no such property.
        """
        if name not in self.names:
            raise InputError(f"the table has no property {name!r}; {suggestion(name, self.names)}")
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
        exchanged = [t.along[..., 1:] for t in tables]
        n_axes = max(e.shape[2] for e in exchanged)
        padded = [np.pad(e, ((0, 0), (0, 0), (0, n_axes - e.shape[2])), constant_values=np.nan) for e in exchanged]
        return PropertyTable(
            tables[0].properties,
            np.concatenate([t.values for t in tables]),
            np.concatenate([t.status for t in tables]),
            np.concatenate([t.residual for t in tables]),
            np.concatenate(padded) if n_axes else None,
        )
