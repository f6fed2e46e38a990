"""The search space: which settings a search may change, and between what."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    import optuna

Plain = bool | int | float | str | None


class Dimension(ABC):
    """One setting of a study that a search may change. In a study file: ``{<word>: [...]}``."""

    word: ClassVar[str]

    @classmethod
    @abstractmethod
    def read(cls, items: Sequence[Any]) -> Dimension:
        """The dimension that the list in a study file means.

        Raises:
            ValueError: it means none; the message says what would be right.
        """

    @abstractmethod
    def suggest(self, trial: optuna.trial.BaseTrial, name: str) -> Plain:
        """A value, chosen by the trial's sampler."""

    @property
    @abstractmethod
    def items(self) -> tuple[Plain, ...]:
        """The list in the study file."""

    @property
    def probes(self) -> tuple[Plain, ...]:
        """Values that must all be allowed for the dimension to be."""
        return self.items


@dataclass(frozen=True)
class Uniform(Dimension):
    """A number between two, each as likely as any other."""

    word = "uniform"
    low: float
    high: float

    @classmethod
    def read(cls, items: Sequence[Any]) -> Dimension:
        """Two numbers, the smaller first."""
        low, high = _ends(items, int | float, "numbers")
        return cls(float(low), float(high))

    @property
    def items(self) -> tuple[Plain, ...]:
        """The ends."""
        return self.low, self.high

    @property
    def probes(self) -> tuple[Plain, ...]:
        """The ends, and a number between them that is not whole."""
        return self.low, self.low + 0.381966 * (self.high - self.low), self.high

    def suggest(self, trial: optuna.trial.BaseTrial, name: str) -> Plain:
        """A float."""
        return trial.suggest_float(name, self.low, self.high)


@dataclass(frozen=True)
class Log(Uniform):
    """A positive number between two, each order of magnitude as likely as any other."""

    word = "log"

    @classmethod
    def read(cls, items: Sequence[Any]) -> Dimension:
        """Two positive numbers, the smaller first."""
        if _ends(items, int | float, "numbers")[0] <= 0:
            raise ValueError(f"log needs numbers above 0, got {list(items)}; 0 itself can be had by choice")
        return super().read(items)

    def suggest(self, trial: optuna.trial.BaseTrial, name: str) -> Plain:
        """A float."""
        return trial.suggest_float(name, self.low, self.high, log=True)


@dataclass(frozen=True)
class Int(Dimension):
    """A whole number between two, both included."""

    word = "int"
    low: int
    high: int

    @classmethod
    def read(cls, items: Sequence[Any]) -> Dimension:
        """Two whole numbers, the smaller first."""
        return cls(*_ends(items, int, "whole numbers"))

    @property
    def items(self) -> tuple[Plain, ...]:
        """The ends."""
        return self.low, self.high

    def suggest(self, trial: optuna.trial.BaseTrial, name: str) -> Plain:
        """An int."""
        return trial.suggest_int(name, self.low, self.high)


@dataclass(frozen=True)
class Choice(Dimension):
    """One of several values, without an order."""

    word = "choice"
    values: tuple[Plain, ...]

    @classmethod
    def read(cls, items: Sequence[Any]) -> Dimension:
        """Two different values at least."""
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
        """One of the values."""
        return trial.suggest_categorical(name, self.values)


DIMENSIONS: dict[str, type[Dimension]] = {kind.word: kind for kind in (Uniform, Log, Int, Choice)}


def read_dimension(value: Any) -> Dimension:
    """The dimension that an entry of ``search.space`` means.

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
    """A point of the space, by dotted key, chosen by the trial's sampler."""
    return {name: dimension.suggest(trial, name) for name, dimension in space.items()}


def _ends(items: Sequence[Any], kind: Any, words: str) -> tuple[Any, Any]:
    if len(items) != 2 or not all(isinstance(i, kind) and not isinstance(i, bool) for i in items):
        raise ValueError(f"must be two {words}, [low, high], got {list(items)}")
    if items[0] >= items[1]:
        raise ValueError(f"the first must be smaller than the second, got {list(items)}")
    return items[0], items[1]
