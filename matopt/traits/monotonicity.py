"""More solid is never softer, and never conducts or lets through more."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from matopt.properties import Property
from matopt.traits.base import TRAITS, PropertyModel, Trait, known_columns


@TRAITS.register("monotonicity")
class Monotonicity(Trait):
    """The share of a property's gradient that points the wrong way, from 0 to 1.

    With ``g`` the gradient of a property with respect to the voxels' densities, signed so that the physics has
    ``g >= 0``, the residual is ``sum relu(-g) / sum |g|``, the mean over the properties of the model that are known to
    rise or to fall with the solid fraction of every voxel (:attr:`matopt.properties.Property.increases_with_solid`). 0
    where the gradient vanishes. A gradient of random sign has one half.

    The physics has 0: the derivative of an effective stiffness with respect to a voxel's is the strain energy there
    under the macroscopic load, of a conductivity the squared gradient (Hashin and Shtrikman's variational principles;
    Hill 1963, for any finite increment), and solid neither conducts better than the pores nor lets fluid pass.
    """

    def applies_to(self, properties: Sequence[Property]) -> bool:
        """Whether any of the properties is known to rise or to fall with the solid fraction."""
        return any(p.increases_with_solid is not None for p in properties)

    def residual(self, model: PropertyModel, density: torch.Tensor) -> torch.Tensor:
        """``(N,)`` shares, see the class.

        Raises:
            InputError: no property of the model is known to rise or to fall with the solid fraction.
        """
        said = "rises or falls with the solid fraction"
        known = known_columns(self, model.properties, lambda p: p.increases_with_solid, said)
        columns = [(i, 1.0 if increases else -1.0) for i, increases in known]
        # Training differentiates the gradient once more; whoever only measures does not pay for that.
        is_differentiated = torch.is_grad_enabled()
        with torch.enable_grad():
            if not density.requires_grad:
                density = density.detach().requires_grad_(True)
            values = model.predict(density)
            shares = []
            for column, sign in columns:
                (gradient,) = torch.autograd.grad(
                    values[:, column].sum(), density, create_graph=is_differentiated, retain_graph=True
                )
                gradient = sign * gradient.flatten(1)
                total = gradient.abs().sum(1)
                wrong = torch.relu(-gradient).sum(1)
                shares.append(wrong / total.clamp_min(torch.finfo(total.dtype).tiny))
        return torch.stack(shares).mean(0)
