"""The rock that designs are measured on, and the models that design it: fitted once, then loaded from files."""

from __future__ import annotations

import time
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

import numpy as np
import torch
from specimens import VOXEL

from matopt.data.labels.store import LabelStore
from matopt.data.windows.scan import Scan
from matopt.generators.local_diffusion import LocalDiffusion
from matopt.generators.perturbations import Perturbations
from matopt.microstructures import Microstructures
from matopt.physics.youngs_modulus import YoungsModulus
from matopt.predictors.cnn import CNN
from matopt.predictors.convolutional.predictor import ConvolutionalPredictor
from matopt.predictors.full_field import FullField
from matopt.properties import PropertyTable
from matopt.stages.data import LabelledSet
from matopt.stages.simulate import simulate

COUNT = 100
COPIES = 10
"""Perturbed copies of each training window."""

PREDICTORS: dict[str, type[ConvolutionalPredictor]] = {
    "fields": FullField,
    "averaged": FullField,
    "longer": FullField,
    "values": CNN,
    "copies": CNN,
}
"""Of fields; the same of windows averaged down to :data:`AVERAGED` voxels, and taught for :data:`LONGER` steps; of
values alone, and of those of perturbed copies of the training windows too; all else by default."""

AVERAGED = 64
LONGER = 1800


@dataclass(frozen=True, eq=False)
class Rock:
    """Windows of Berea: learnt from, held out (they choose models and the trust region's limit), and test windows that
    neither has seen. What is spare is of the slices that are learnt from, and nothing learns from it.

    Nothing that is learnt from lies within 8 voxels of what is held out, nothing of that within 20 of the test. Of each
    test window there is the number of its slice.
    """

    train: Microstructures
    spare: Microstructures
    held_out: Microstructures
    test: Microstructures
    test_slices: np.ndarray


def rock_of(scan: np.ndarray, size: int = 64) -> Rock:
    """Cut windows of ``size`` voxels."""
    shuffled = np.random.default_rng(0).permutation
    learnt, held = _windows(scan, range(0, 165, 5), size), _windows(scan, range(174, 200, 5), size)
    slices = range(220, 400, 10)
    test = _windows(scan, slices, size)
    learnt = learnt[shuffled(len(learnt))]
    return Rock(
        learnt[:COUNT],
        learnt[COUNT:],
        held[shuffled(len(held))][:COUNT],
        test,
        np.repeat(np.arange(len(slices)), len(test) // len(slices)),
    )


def _windows(scan: np.ndarray, slices: range, size: int) -> Microstructures:
    chosen = Scan(scan[slices.start : slices.stop : slices.step], VOXEL, "images").windows(size)
    return chosen.split(windows=len(slices) * (scan.shape[1] // size) * (scan.shape[2] // size))[0]


class Models:
    """Models of a rock, each kept in a folder and fitted where it is not there yet.

    Args:
        rock: what they learn from.
        folder: where they and labels are kept.
        generator: the file of the generator.
        is_quick: short trainings, into files of their own.
    """

    def __init__(self, rock: Rock, folder: Path, generator: Path, is_quick: bool) -> None:
        self.rock = rock
        self.folder = folder
        self.store = LabelStore(folder / "labels")
        self._generator_file = generator
        self._is_quick = is_quick

    def label(self, microstructures: Microstructures) -> PropertyTable:
        """Look up or compute Young's modulus."""
        return simulate(microstructures, [YoungsModulus()], self.store)

    def generator(self) -> LocalDiffusion:
        """The local diffusion model of the training windows."""
        path = self._generator_file
        model = LocalDiffusion(**({"steps": 150} if self._is_quick else {}))
        if path.exists():
            model.load_state_dict(torch.load(path, weights_only=True))
            return model
        start = time.process_time()
        model.fit(self.rock.train, seed=0)
        print(f"local diffusion: fitted in {time.process_time() - start:.0f} s", flush=True)
        path.parent.mkdir(parents=True, exist_ok=True)
        torch.save(model.state_dict(), path)
        return model

    def predictor(self, kind: str, seed: int, further: Microstructures | None = None) -> ConvolutionalPredictor:
        """One of :data:`PREDICTORS`, which learnt from the training windows and from what is added to them."""
        settings = {"steps": 300} if self._is_quick else {}
        if kind == "averaged":
            settings["resolution"] = AVERAGED
        if kind == "longer" and not self._is_quick:
            settings["steps"] = LONGER
        model = PREDICTORS[kind](**settings)
        added = "" if further is None else "_" + blake2b("".join(further.hashes).encode(), digest_size=8).hexdigest()
        path = self.folder / f"{kind}{'_quick' if self._is_quick else ''}_{seed}{added}.pt"
        if path.exists():
            model.load_state_dict(torch.load(path, weights_only=True))
            return model
        train = LabelledSet(self.rock.train, self.label(self.rock.train))
        if kind == "copies":
            copies = Perturbations().fit(self.rock.train).draw(COPIES * COUNT, seed)
            train += LabelledSet(copies, self.label(copies))
        if further is not None:
            train += LabelledSet(further, self.label(further))
        start = time.process_time()
        model.fit(train.microstructures, train.labels, (self.rock.held_out, self.label(self.rock.held_out)), seed=seed)
        print(f"predictor of {kind} {seed}: fitted in {time.process_time() - start:.0f} s", flush=True)
        torch.save(model.state_dict(), path)
        return model
