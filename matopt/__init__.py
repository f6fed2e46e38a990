"""Learn, predict and design material microstructures from a few hundred images, with physics you can check.

The names below are loaded when they are first used, so that importing matopt costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matopt.data.labels.store import LabelStore
    from matopt.data.windows.scan import read
    from matopt.design.ascent import ascend
    from matopt.generators.morphology_vae import MorphologyVAE
    from matopt.generators.vae import VAE
    from matopt.microstructures import Microstructures
    from matopt.physics.base import Physics, simulators
    from matopt.predictors.cnn import CNN
    from matopt.stages.audit import audit
    from matopt.stages.simulate import simulate
    from matopt.traits.base import TRAITS, Trait
    from matopt.traits.hashin_shtrikman import HashinShtrikman
    from matopt.traits.monotonicity import Monotonicity

_HOMES = {
    "CNN": "predictors.cnn",
    "HashinShtrikman": "traits.hashin_shtrikman",
    "LabelStore": "data.labels.store",
    "Microstructures": "microstructures",
    "Monotonicity": "traits.monotonicity",
    "MorphologyVAE": "generators.morphology_vae",
    "Physics": "physics.base",
    "TRAITS": "traits.base",
    "Trait": "traits.base",
    "VAE": "generators.vae",
    "ascend": "design.ascent",
    "audit": "stages.audit",
    "read": "data.windows.scan",
    "simulate": "stages.simulate",
    "simulators": "physics.base",
}
__all__ = [
    "CNN",
    "TRAITS",
    "VAE",
    "HashinShtrikman",
    "LabelStore",
    "Microstructures",
    "Monotonicity",
    "MorphologyVAE",
    "Physics",
    "Trait",
    "ascend",
    "audit",
    "read",
    "simulate",
    "simulators",
]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'matopt' has no attribute {name!r}")
    return getattr(import_module(f"matopt.{_HOMES[name]}"), name)
