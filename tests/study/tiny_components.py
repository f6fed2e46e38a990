"""Components of the simplest kind, for studies of seconds; a study names them as ``tiny_components.py:Noise``."""

import ctypes
import os
import signal
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from matopt.data.sources.base import Source
from matopt.generators.base import Generator
from matopt.microstructures import Microstructures
from matopt.physics.base import Simulator, Solution
from matopt.predictors.base import Predictor
from matopt.properties import Property


def eat():
    """Take 10 GB, as fast as a machine gives them."""
    eaten = [np.ones(1 << 27) for _ in range(10)]
    time.sleep(1e6)
    return eaten


def spin():
    while True:
        pass


ENDS = {
    "os._exit": lambda: os._exit(3),
    "sys.exit": lambda: sys.exit(4),
    "SIGKILL": lambda: os.kill(os.getpid(), signal.SIGKILL),
    "SIGTERM": lambda: os.kill(os.getpid(), signal.SIGTERM) or time.sleep(60),
    "segfault": lambda: ctypes.string_at(0),
    "abort": os.abort,
    "sleep": lambda: time.sleep(1e6),
    "stop": lambda: os.kill(os.getpid(), signal.SIGSTOP),
    "spin": spin,
    "memory": eat,
}
"""What ends a process, or hangs it."""


class Noise(Generator):
    """Smoothed noise, thresholded at porosities drawn from the authentic ones.

    Args:
        width: of the smoothing, in voxels.
        seconds: that a fit takes.
        fail_above: a fit fails where ``width`` is larger.
        die: a file; where it does not exist yet the first fit makes it, and ends its process.
        end: how: one of :data:`ENDS`.
    """

    def __init__(
        self, width: int = 3, seconds: float = 0.0, fail_above: int = 100, die: str = "", end: str = "os._exit"
    ):
        self.width, self.seconds, self.fail_above, self.die, self.end = width, seconds, fail_above, die, end
        self.porosity = torch.zeros(0)
        self.shape, self._voxel_size = (0, 0), 1.0

    def fit(self, train, validation=None, report=lambda step, **scalars: False, seed=0):
        if self.width > self.fail_above:
            raise ArithmeticError(f"no noise of width {self.width}")
        if self.die and not Path(self.die).exists():
            Path(self.die).write_text(str(os.getpid()))
            ENDS[self.end]()
        for step in range(5):
            time.sleep(self.seconds / 5)
            report(step, loss=1.0 / (step + 1))
        self.porosity = torch.from_numpy(train.porosity.copy())
        self.shape, self._voxel_size = tuple(train.shape), train.voxel_size
        return self

    def sample(self, n, seed):
        random = torch.Generator().manual_seed(seed)
        noise = torch.randn((n, 1, *self.shape), generator=random)
        smooth = torch.nn.functional.avg_pool2d(noise, self.width, 1, self.width // 2)[
            ..., : self.shape[0], : self.shape[1]
        ]
        porosity = self.porosity[torch.randint(len(self.porosity), (n,), generator=random)]
        levels = torch.stack([s.flatten().quantile(p) for s, p in zip(smooth, porosity.float(), strict=True)])
        return (smooth >= levels.reshape(-1, 1, 1, 1)).float()

    @property
    def voxel_size(self):
        return self._voxel_size

    def to(self, device):
        return self

    def state_dict(self):
        return {"porosity": self.porosity, "shape": list(self.shape), "voxel_size": self._voxel_size}

    def load_state_dict(self, state):
        self.porosity, self.shape, self._voxel_size = state["porosity"], tuple(state["shape"]), state["voxel_size"]


class Linear(Predictor):
    """Least squares on the solid fraction and its square.

    Args:
        seconds: that a fit takes.
        ridge: added to the normal equations.
        floor: the least that it predicts.
    """

    def __init__(self, seconds: float = 0.0, ridge: float = 1e-6, floor: float = -1e9):
        self.seconds, self.ridge, self.floor = seconds, ridge, floor

    def fit(self, train, labels, validation=None, traits=(), report=lambda step, **scalars: False, seed=0):
        self.properties = labels.properties
        time.sleep(self.seconds)
        features = self._features(train.density().double())
        left = features.T @ features + self.ridge * torch.eye(features.shape[1])
        self.weights = torch.linalg.solve(
            left, features.T @ torch.from_numpy(np.where(labels.is_usable, labels.values, 0))
        )
        report(0, loss=float(((features @ self.weights).numpy() - labels.values).std()))
        return self

    def predict(self, density):
        return (self._features(density.double()) @ self.weights).clamp_min(self.floor)

    def _features(self, density):
        solid = density.flatten(1).mean(1)
        return torch.stack([torch.ones_like(solid), solid, solid**2], 1)

    def to(self, device):
        return self

    def state_dict(self):
        return {
            "weights": self.weights,
            "properties": [
                [p.name, p.symbol, p.unit, p.display_unit, p.display_factor, p.scale, list(map(list, p.constants))]
                for p in self.properties
            ],
        }

    def load_state_dict(self, state):
        self.weights = state["weights"]
        self.properties = tuple(Property(*p[:6], tuple(map(tuple, p[6]))) for p in state["properties"])


class Gradual(Linear):
    """Linear, whose training foretells its R2, a tenth after a tenth.

    Args:
        log: a file that gets a line for each report: the process, the ridge and the step.
        settings: of Linear.
    """

    def __init__(self, log: str = "", **settings):
        super().__init__(**settings)
        self.log = log

    @property
    def foretold(self):
        return ("r2",)

    def fit(self, train, labels, validation=None, traits=(), report=lambda step, **scalars: False, seed=0):
        super().fit(train, labels, seed=seed)
        held_out, truth = validation[0], validation[1].values[:, 0]
        with torch.no_grad():
            residual = self.predict(held_out.density()).numpy()[:, 0] - truth
        r2 = float(1 - (residual**2).sum() / ((truth - truth.mean()) ** 2).sum())
        for step in range(1, 11):
            if self.log:
                with Path(self.log).open("a") as file:
                    file.write(f"{os.getpid()} {self.ridge} {step}\n")
            if report(step, progress=step / 10, validation_r2=r2 - (1 - step / 10)):
                break
        return self


class Dots(Source):
    """Round pores at random.

    Args:
        size: edge of the images, in voxels.
    """

    def __init__(self, size: int = 24):
        self.size = size

    def split(self, window, counts, seed):
        axis = np.arange(self.size)
        parts = {}
        for index, (name, count) in enumerate(counts.items()):
            random = np.random.default_rng([seed, index])
            phases = np.ones((count, self.size, self.size), np.uint8)
            for image in phases:
                for x, y, r in zip(*random.uniform(0, self.size, (2, 9)), random.uniform(1, 4, 9), strict=True):
                    image[(axis[:, None] - x) ** 2 + (axis - y) ** 2 < r**2] = 0
            parts[name] = Microstructures(phases, 1e-6)
        return parts

    def fingerprint(self):
        return {"kind": "dots", "size": self.size}


@dataclass(frozen=True)
class Solid(Simulator):
    """The solid fraction, as a property whose simulation takes its time.

    Attributes:
        seconds: for each sample.
        log: a file that gets a line for each sample.
    """

    seconds: float = 0.0
    log: str = ""

    @property
    def property(self):
        return Property("solid", "s", "1", "1")

    def solve(self, density, voxel_size):
        values = density.flatten(1).mean(1)
        n = len(values)
        time.sleep(self.seconds * n)
        if self.log:
            with Path(self.log).open("a") as file:
                file.write("sample\n" * n)
        return Solution(values, values[:, None], np.array(["ok"] * n), np.zeros(n), np.ones(n, int))
