"""Where the processes of a study go: how many there are, on which nodes, with which shares of GPUs. No Ray in here.

Trials and models (generators, predictors, designs) are never there at the same time, and ask for CPUs, and on GPUs for
a share of one. Simulators ask for neither: a trial that waits for them leaves its own idle. So they are spread over the
nodes, and over each node's GPUs, in proportion to what these offer, and keep nobody out.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from heapq import heapify, heapreplace

from matopt.errors import FailureError
from matopt.study.config.schema import ResourcesSection

_MOST_ON_A_GPU = 99
_STEPS = 10_000  # of a GPU: no less of one can be asked for
_MEMORY = 2 << 30  # bytes of a trial, and of a simulator that works for it: most of it is libraries


@dataclass(frozen=True)
class Node:
    """What a node offers.

    Attributes:
        key: Ray's name of it.
        name: its host's.
        cpus, gpus: how many of each.
        memory: in bytes.
    """

    key: str
    name: str
    cpus: float
    gpus: float = 0.0
    memory: float = 1 << 62


@dataclass(frozen=True)
class Seat:
    """The place of a simulator: a node, by its key, and which of the node's GPUs."""

    node: str
    gpu: int = 0


@dataclass(frozen=True)
class Placement:
    """How many processes of each kind there are, and where.

    Attributes:
        trials, predictors: how many at once.
        trial_gpus: the share of a GPU that each trial gets.
        simulators: the place of each.
        avoided: the keys of the nodes that get no simulator.
    """

    trials: int
    predictors: int
    trial_gpus: float
    simulators: tuple[Seat, ...]
    avoided: tuple[str, ...]


class NoRoomError(FailureError):
    """A cluster has no room for what a study asks for; another may have, or this one when it has grown."""


def place(nodes: Sequence[Node], asked: ResourcesSection, most_trials: int) -> Placement:
    """Place a study on the nodes of a cluster.

    Args:
        nodes: of the cluster.
        asked: the study's resources. What is "auto" there is as many as there is room for: trials and predictors one
            for each GPU, or for so many CPUs as each asks for; simulators as many as trials.
        most_trials: "auto" asks for no more trials at once.

    Raises:
        NoRoomError: not all that is asked for has room at once.
    """
    cpus, on_gpus = asked.cpus_per_trial, asked.device == "cuda"
    fitting = max(1, sum(_fitting(node, cpus, on_gpus) for node in nodes))
    trials = min(fitting, most_trials) if asked.trials == "auto" else asked.trials
    predictors = fitting if asked.predictors == "auto" else asked.predictors
    simulators = fitting if asked.simulators == "auto" else asked.simulators
    seats = _seats(nodes, simulators, on_gpus)
    room = room_for(nodes, cpus, on_gpus)
    if room < max(trials, predictors):
        raise NoRoomError(_refusal(nodes, asked, trials, predictors, room))
    avoided = tuple(node.key for node in nodes if not _weight(node, on_gpus))
    return Placement(trials, predictors, gpu_share(nodes, trials, cpus) if on_gpus else 0.0, seats, avoided)


def gpu_share(nodes: Sequence[Node], count: int, cpus: int) -> float:
    """Find the largest share of a GPU that ``count`` processes of so many CPUs can have at once, 1 or less.

    Each GPU holds a whole number of them: a share is never split over two.
    """
    on_each = next((n for n in range(1, _MOST_ON_A_GPU) if _room(nodes, cpus, n) >= count), _MOST_ON_A_GPU)
    return _STEPS // on_each / _STEPS


def room_for(nodes: Sequence[Node], cpus: int, on_gpus: bool) -> int:
    """Count the trials or models that can be there at once, where GPUs are shared as far as they can be."""
    return _room(nodes, cpus, _MOST_ON_A_GPU if on_gpus else None)


def _room(nodes: Sequence[Node], cpus: int, on_each_gpu: int | None) -> int:
    by_cpu = [int(node.cpus // cpus) for node in nodes]
    if on_each_gpu is None:
        return sum(by_cpu)
    return sum(min(n, on_each_gpu * int(node.gpus)) for n, node in zip(by_cpu, nodes, strict=True))


def _fitting(node: Node, cpus: int, on_gpus: bool) -> int:
    """Count the trials that a node runs well: with a GPU, CPUs and memory for each."""
    return int(min(node.cpus // cpus, node.gpus if on_gpus else node.cpus, node.memory // _MEMORY))


def _seats(nodes: Sequence[Node], count: int, on_gpus: bool) -> tuple[Seat, ...]:
    """Give each simulator in turn to the node that then has the fewest for what it offers (the method of D'Hondt)."""
    weights = {node.key: weight for node in nodes if (weight := _weight(node, on_gpus))}
    turns = [(1 / weight, order, key, 0) for order, (key, weight) in enumerate(weights.items())]
    heapify(turns)
    seats = []
    for _ in range(count if turns else 0):
        _, order, key, taken = turns[0]
        seats.append(Seat(key, taken % int(weights[key]) if on_gpus else 0))
        heapreplace(turns, ((taken + 2) / weights[key], order, key, taken + 1))
    return tuple(seats)


def _weight(node: Node, on_gpus: bool) -> float:
    """Say how much of the simulators a node gets; one without CPUs, such as a head that only leads, does no work."""
    if not node.cpus:
        return 0.0
    return float(int(node.gpus)) if on_gpus else node.cpus


def _refusal(nodes: Sequence[Node], asked: ResourcesSection, trials: int, predictors: int, room: int) -> str:
    wanted = {"resources.trials": trials, "resources.predictors": predictors}
    wants = " and ".join(f"{name} asks for {n}" for name, n in wanted.items() if n > room)
    on_gpus = asked.device == "cuda"
    each = f"{asked.cpus_per_trial} CPUs" + (" and a share of a GPU" if on_gpus else "")
    names: dict[str, list[str]] = defaultdict(list)
    for node in nodes:
        offered = f"{node.cpus:g} CPUs" + (f" and {node.gpus:g} GPUs" if on_gpus else "")
        names[offered].append(node.name)
    there = ", ".join(f"{offered} on {_some(found)}" for offered, found in names.items())
    return f"{wants}, at {each} each, and there is room for {room} ({there}); lower 'resources', or add nodes"


def _some(names: Sequence[str]) -> str:
    return ", ".join(names) if len(names) <= 4 else f"{', '.join(names[:4])} and {len(names) - 4} others"
