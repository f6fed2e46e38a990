"""Learn, predict and design material microstructures from a few hundred images, with physics you can check.

The names below are loaded when they are first used, so that importing matopt costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matopt.data.labels.store import LabelStore
    from matopt.data.read import read
    from matopt.data.windows.scan import Scan
    from matopt.data.write import write
    from matopt.descriptors.chords import chord_lengths
    from matopt.descriptors.lineal_path import lineal_path
    from matopt.descriptors.surface import specific_surface
    from matopt.design.ascent import ascend
    from matopt.generators.autoencoder import Autoencoder
    from matopt.generators.local_diffusion import LocalDiffusion
    from matopt.generators.morphology_vae import MorphologyVAE
    from matopt.generators.mrf import MarkovRandomField
    from matopt.generators.patch_statistics import PatchStatistics
    from matopt.generators.slices_to_volume import SlicesToVolume
    from matopt.generators.vae import VAE
    from matopt.microstructures import Microstructures
    from matopt.physics.base import Physics, simulators
    from matopt.predictors.cnn import CNN
    from matopt.predictors.full_field import FullField
    from matopt.stages.audit import audit
    from matopt.stages.responses.reference import responses
    from matopt.stages.responses.skill import response_skill
    from matopt.stages.simulate import simulate
    from matopt.traits.base import TRAITS, Trait
    from matopt.traits.hashin_shtrikman import HashinShtrikman
    from matopt.traits.monotonicity import Monotonicity

__version__ = "0.1.0"

_HOMES = {
    "Autoencoder": "generators.autoencoder",
    "CNN": "predictors.cnn",
    "FullField": "predictors.full_field",
    "HashinShtrikman": "traits.hashin_shtrikman",
    "LabelStore": "data.labels.store",
    "LocalDiffusion": "generators.local_diffusion",
    "MarkovRandomField": "generators.mrf",
    "Microstructures": "microstructures",
    "Monotonicity": "traits.monotonicity",
    "MorphologyVAE": "generators.morphology_vae",
    "PatchStatistics": "generators.patch_statistics",
    "Physics": "physics.base",
    "Scan": "data.windows.scan",
    "SlicesToVolume": "generators.slices_to_volume",
    "TRAITS": "traits.base",
    "Trait": "traits.base",
    "VAE": "generators.vae",
    "ascend": "design.ascent",
    "audit": "stages.audit",
    "chord_lengths": "descriptors.chords",
    "lineal_path": "descriptors.lineal_path",
    "read": "data.read",
    "response_skill": "stages.responses.skill",
    "responses": "stages.responses.reference",
    "simulate": "stages.simulate",
    "simulators": "physics.base",
    "specific_surface": "descriptors.surface",
    "write": "data.write",
}
__all__ = [
    "CNN",
    "TRAITS",
    "VAE",
    "Autoencoder",
    "FullField",
    "HashinShtrikman",
    "LabelStore",
    "LocalDiffusion",
    "MarkovRandomField",
    "Microstructures",
    "Monotonicity",
    "MorphologyVAE",
    "PatchStatistics",
    "Physics",
    "Scan",
    "SlicesToVolume",
    "Trait",
    "ascend",
    "audit",
    "chord_lengths",
    "lineal_path",
    "read",
    "response_skill",
    "responses",
    "simulate",
    "simulators",
    "specific_surface",
    "write",
]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'matopt' has no attribute {name!r}")
    return getattr(import_module(f"matopt.{_HOMES[name]}"), name)
