"""The parts of a study in small."""

from __future__ import annotations

from matopt.microstructures import Microstructures
from matopt.properties import PropertyTable
from matopt.registry import Component
from matopt.stages.simulate import simulate

PROPERTIES = ("youngs_modulus", "permeability")
GENERATOR = Component("morphology_vae", {"latent_dim": 4, "steps": 30, "detail_steps": 0})
PREDICTOR = Component("cnn", {"steps": 40})
TRAITS = (Component("hashin_shtrikman"), Component("monotonicity"))


class CountingLabel:
    """The simulators, and how many microstructures they were asked about."""

    def __init__(self) -> None:
        self.asked: list[Microstructures] = []

    def __call__(self, microstructures: Microstructures) -> PropertyTable:
        self.asked.append(microstructures)
        return simulate(microstructures, PROPERTIES)
