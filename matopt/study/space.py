"""The search space: which settings a search may change, and between what."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    import optuna

Plain = bool | int | float | str | None


class Dimension(ABC):
    """A dimension of the search space: a setting of the study, and its values. In a study file ``{<word>: [...]}``."""

    word: ClassVar[str]

    @classmethod
    @abstractmethod
    def read(cls, items: Sequence[Any]) -> Dimension:
        """Read the list in a study file.

        Raises:
            ValueError: it means none; the message says what would be right.
        """

    @abstractmethod
    def suggest(self, trial: optuna.trial.BaseTrial, name: str) -> Plain:
        """Choose a value with the trial's sampler."""

    @property
    @abstractmethod
    def items(self) -> tuple[Plain, ...]:
        """The list in the study file."""

    @property
    def probes(self) -> tuple[Plain, ...]:
        """The values that are tried when the file is checked: if they are allowed, all are taken to be."""
        return self.items


@dataclass(frozen=True)
class Uniform(Dimension):
    """A continuous dimension, uniform between two numbers."""

    word = "uniform"
    low: float
    high: float

    @classmethod
    def read(cls, items: Sequence[Any]) -> Dimension:
        """Read two numbers, the smaller first."""
        low, high = map(float, _ends(items, int | float, "numbers"))
        if not math.isfinite(high - low):
            raise ValueError(f"{list(items)} are too far apart for a number between them")
        return cls(low, high)

    @property
    def items(self) -> tuple[Plain, ...]:
        """The ends."""
        return self.low, self.high

    @property
    def probes(self) -> tuple[Plain, ...]:
        """The ends, and a number between them that is not whole."""
        return self.low, self.low + 0.381966 * (self.high - self.low), self.high

    def suggest(self, trial: optuna.trial.BaseTrial, name: str) -> Plain:
        """Choose a float."""
        return trial.suggest_float(name, self.low, self.high)


@dataclass(frozen=True)
class Log(Uniform):
    """A continuous dimension, uniform in the logarithm between two positive numbers."""

    word = "log"

    @classmethod
    def read(cls, items: Sequence[Any]) -> Dimension:
        """Read two positive numbers, the smaller first."""
        if _ends(items, int | float, "numbers")[0] <= 0:
            raise ValueError(f"log needs numbers above 0, got {list(items)}; 0 itself can be had by choice")
        return super().read(items)

    def suggest(self, trial: optuna.trial.BaseTrial, name: str) -> Plain:
        """Choose a float."""
        return trial.suggest_float(name, self.low, self.high, log=True)


@dataclass(frozen=True)
class Int(Dimension):
    """A dimension of the whole numbers between two, both included."""

    word = "int"
    low: int
    high: int

    @classmethod
    def read(cls, items: Sequence[Any]) -> Dimension:
        """Read two whole numbers, the smaller first."""
        return cls(*_ends(items, int, "whole numbers"))

    @property
    def items(self) -> tuple[Plain, ...]:
        """The ends."""
        return self.low, self.high

    def suggest(self, trial: optuna.trial.BaseTrial, name: str) -> Plain:
        """Choose an int."""
        return trial.suggest_int(name, self.low, self.high)


@dataclass(frozen=True)
class Choice(Dimension):
    """A categorical dimension: several values without an order."""

    word = "choice"
    values: tuple[Plain, ...]

    @classmethod
    def read(cls, items: Sequence[Any]) -> Dimension:
        """Read two different values at least."""
        if not all(item is None or isinstance(item, bool | int | float | str) for item in items):
            raise ValueError("choice takes numbers, texts, true, false and null, no lists or sections")
        if len({(type(item), item) for item in items}) < max(2, len(items)):
            raise ValueError(f"choice needs two or more different values, got {list(items)}")
        return cls(tuple(items))

    @property
    def items(self) -> tuple[Plain, ...]:
        """The values."""
        return self.values

    def suggest(self, trial: optuna.trial.BaseTrial, name: str) -> Plain:
        """Choose one of the values."""
        return trial.suggest_categorical(name, self.values)


DIMENSIONS: dict[str, type[Dimension]] = {kind.word: kind for kind in (Uniform, Log, Int, Choice)}


def read_dimension(value: Any) -> Dimension:
    """Read an entry of ``search.space``.

    Raises:
        ValueError: it means none; the message says what would be right.
    """
    if not isinstance(value, dict) or len(value) != 1 or next(iter(value)) not in DIMENSIONS:
        raise ValueError(
            "must be one of {uniform: [low, high]}, {log: [low, high]}, {int: [low, high]}, {choice: [...]}, "
            f"got {value!r}"
        )
    word, items = next(iter(value.items()))
    if not isinstance(items, list):
        raise ValueError(f"{word} takes a list, got {items!r}")
    return DIMENSIONS[word].read(items)


def suggest(space: Mapping[str, Dimension], trial: optuna.trial.BaseTrial) -> dict[str, Plain]:
    """Choose a point of the space with the trial's sampler; dotted key -> value."""
    return {name: dimension.suggest(trial, name) for name, dimension in space.items()}


def _ends(items: Sequence[Any], kind: Any, words: str) -> tuple[Any, Any]:
    if len(items) != 2 or not all(isinstance(i, kind) and not isinstance(i, bool) for i in items):
        raise ValueError(f"must be two {words}, [low, high], got {list(items)}")
    if items[0] >= items[1]:
        raise ValueError(f"the first must be smaller than the second, got {list(items)}")
    return items[0], items[1]
