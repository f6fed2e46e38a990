"""The style vector of a microstructure, and the distance between the morphologies of two sets of microstructures.

After Gatys, Ecker and Bethge (2015), who take the Gram matrices of a trained network's responses. Random filters of
several scales do as well on two-phase images and need no download; two-point and lineal-path statistics add the spread
of the volume fraction, which filters of zero mean do not see.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch

from matopt.descriptors.energy_distance import distances, energy_distance
from matopt.descriptors.style_blocks import FilterGrams, SegmentStatistics
from matopt.errors import InputError

BATCH = 64
"""How many microstructures :meth:`StyleFeatures.of_many` takes at once."""


class StyleFeatures(torch.nn.Module):
    """Maps densities to style vectors, standardised by authentic microstructures; differentiable.

    Each block of features is standardised by its means and standard deviations over the reference; then the principal
    components of all of them together, whitened, are added as one more block: the raw features are many but alike, and
    without it a few strong directions hide the others. Each block has a mean square of about one over the reference, so
    that none outweighs another.

    Args:
        reference: ``(N, 1, *S)`` densities of authentic microstructures, two at least.
        blocks: modules that map densities to ``(N, F)`` raw features; random filters and segment statistics by default.
            Gram matrices of a trained network are one more such module.
        components: how many whitened components are kept, at most.

    Raises:
        InputError: fewer than two microstructures, or all alike.
    """

    def __init__(
        self, reference: torch.Tensor, blocks: Sequence[torch.nn.Module] | None = None, components: int = 32
    ) -> None:
        super().__init__()
        dimensions = reference.ndim - 2
        self.blocks = torch.nn.ModuleList(blocks or [FilterGrams(dimensions), SegmentStatistics(dimensions)])
        self.to(reference.device)
        with torch.no_grad():
            raw = [torch.cat([block(part) for part in reference.split(BATCH)]) for block in self.blocks]
        if len(reference) < 2 or not all(block.std(0).max() > 0 for block in raw):
            raise InputError("morphology needs at least two authentic microstructures that differ")
        for number, block in enumerate(raw):
            deviation = block.std(0)
            # A feature that hardly varies over the reference must not make up the whole distance from it.
            deviation = deviation.clamp(min=0.01 * float(deviation.mean()))
            self.register_buffer(f"mean_{number}", block.mean(0))
            self.register_buffer(f"scale_{number}", 1.0 / (deviation * block.shape[1] ** 0.5))
        standard = self._standardise(raw)
        _, strengths, axes = torch.linalg.svd(standard, full_matrices=False)
        kept = min(components, int((strengths > 1e-3 * strengths[0]).sum()))
        scale = (len(reference) - 1) ** 0.5 / (strengths[:kept] * kept**0.5)
        self.register_buffer("whitening", axes[:kept].T * scale)
        self.whitening: torch.Tensor

    def forward(self, density: torch.Tensor) -> torch.Tensor:
        """Map densities ``(N, 1, *S)`` to style vectors ``(N, F)``."""
        standard = self._standardise([block(density) for block in self.blocks])
        return torch.cat([standard, standard @ self.whitening], 1)

    def of_many(self, density: torch.Tensor) -> torch.Tensor:
        """Map any number of densities to style vectors ``(N, F)``, without gradients and in bounded memory."""
        with torch.no_grad():
            return torch.cat([self(part.to(self.whitening.device)) for part in density.split(BATCH)])

    def _standardise(self, raw: list[torch.Tensor]) -> torch.Tensor:
        scaled = [
            (block - self.get_buffer(f"mean_{number}")) * self.get_buffer(f"scale_{number}")
            for number, block in enumerate(raw)
        ]
        return torch.cat(scaled, 1)


def morphology_distance(features: StyleFeatures, artificial: torch.Tensor, authentic: torch.Tensor) -> float:
    """Measure how far the morphologies of two sets of microstructures lie apart, from 0 (one distribution) to 1.

    The energy distance of their style vectors as a share of its largest value ``2 E|a - b|`` (the coefficient of
    inhomogeneity; Székely and Rizzo 2013). Its estimate is unbiased, so that it hovers about zero for two samples of
    one distribution.

    Args:
        features: fitted on authentic microstructures; the same for all sets that are to be compared.
        artificial: ``(N, 1, *S)`` densities, N at least 2.
        authentic: ``(M, 1, *S)`` densities that neither ``features`` nor the generator has seen, M at least 2.
    """
    a, b = features.of_many(artificial), features.of_many(authentic)
    return float(energy_distance(a, b) / (2 * distances(a, b).mean()))
