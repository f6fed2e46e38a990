"""The two blocks of features in the default style vector: filter responses, and statistics along lines."""

from __future__ import annotations

import itertools
import math

import torch
from torch.nn import functional

STRIDE = 3
"""The filters' stride at all but the coarsest level, in voxels."""


class FilterGrams(torch.nn.Module):
    """Means and centred Gram matrices of rectified responses to random filters, at several scales.

    The filters are white noise from a fixed seed under a Hann window, with zero mean and unit norm; each further level
    sees the density at half the resolution.

    Args:
        dimensions: 2 or 3.
        levels: of the pyramid; a level smaller than a filter is left out.
        filters: a level.
        width: of a filter, in voxels.
        seed: of the filters.
    """

    def __init__(self, dimensions: int, levels: int = 3, filters: int = 16, width: int = 7, seed: int = 0) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(seed)
        kernels = torch.randn(levels, filters, 1, *[width] * dimensions, generator=generator, dtype=torch.float32)
        hann = torch.hann_window(width + 2, periodic=False)[1:-1]
        for axis in range(dimensions):
            kernels = kernels * hann.view(-1, *[1] * (dimensions - 1 - axis))
        flat = kernels.flatten(3)
        flat = flat - flat.mean(-1, keepdim=True)
        kernels = (flat / flat.norm(dim=-1, keepdim=True)).view_as(kernels)
        self.register_buffer("kernels", kernels, persistent=False)
        self.kernels: torch.Tensor
        self._convolve = {2: functional.conv2d, 3: functional.conv3d}[dimensions]
        self._pool = {2: functional.avg_pool2d, 3: functional.avg_pool3d}[dimensions]

    def forward(self, density: torch.Tensor) -> torch.Tensor:
        """Map densities ``(N, 1, *S)`` to ``(N, levels * (filters + filters (filters + 1) / 2))`` features."""
        rows, columns = torch.triu_indices(*[self.kernels.shape[1]] * 2)
        features = []
        for level, kernels in enumerate(self.kernels):
            if level > 0:
                density = self._pool(density, 2)
            if min(density.shape[2:]) < kernels.shape[-1]:
                break
            kernels = kernels.to(density.dtype)
            # Voxels at the faces must count as much as all others, or a generator may leave them grey.
            framed = functional.pad(density, [kernels.shape[-1] // 2] * (2 * (density.ndim - 2)), mode="replicate")
            if level < len(self.kernels) - 1:
                # Every third position of the finer levels says as much of their means as all do. (Not every second: an
                # image enlarged by 2 looks different at even and odd positions.) Neighbouring voxels as channels give
                # the same numbers as a stride, with a quicker backward pass.
                kernels = functional.pad(kernels, [0, -kernels.shape[-1] % STRIDE] * (kernels.ndim - 2))
                kernels = _neighbours_as_channels(kernels)
                response = self._convolve(_neighbours_as_channels(framed), kernels)
            else:
                response = self._convolve(framed, kernels)
            response = torch.relu(response).flatten(2)
            mean = response.mean(2)
            gram = response @ response.transpose(1, 2) / response.shape[2] - mean[:, :, None] * mean[:, None]
            features += [mean, gram[:, rows, columns]]
        return torch.cat(features, 1)


def _neighbours_as_channels(x: torch.Tensor) -> torch.Tensor:
    """Turn blocks of voxels of ``(N, 1, *S)`` into channels ``(N, STRIDE^d, *S/STRIDE)``, without what is left over."""
    cells = [n // STRIDE for n in x.shape[2:]]
    x = x[(..., *(slice(0, STRIDE * n) for n in cells))]
    x = x.reshape(len(x), *itertools.chain.from_iterable((n, STRIDE) for n in cells))
    between, within = range(1, x.ndim, 2), range(2, x.ndim, 2)
    return x.permute(0, *within, *between).reshape(len(x), -1, *cells)


class SegmentStatistics(torch.nn.Module):
    """Porosity, interface density, and the pores' two-point function and lineal path along axes and diagonals.

    The two-point function is taken at :attr:`lags` (without wrapping round), the lineal path for runs of 2 and 4 voxels
    at each halving of the resolution. Of grey densities both are the expected values over independent voxels.

    Args:
        dimensions: 2 or 3.
    """

    lags = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32)
    """In voxels; those up to half the image are used."""

    def __init__(self, dimensions: int) -> None:
        super().__init__()
        # One of each pair of opposite directions, since both give the same.
        self.directions = [d for d in itertools.product((1, 0, -1), repeat=dimensions) if d > (0,) * dimensions]

    def forward(self, density: torch.Tensor) -> torch.Tensor:
        """Map densities ``(N, 1, *S)`` to ``(N, F)`` features; F follows from S."""
        pore = 1.0 - density[:, 0]
        space = tuple(range(1, pore.ndim))
        interface = torch.stack([pore.diff(dim=axis).abs().mean(space) for axis in space], 1)
        means = torch.stack([pore.mean(space), pore.square().mean(space)], 1)
        return torch.cat([means, interface, self._two_point(pore), self._lineal_path(pore)], 1)

    def _two_point(self, pore: torch.Tensor) -> torch.Tensor:
        shape = pore.shape[1:]
        lags = [r for r in self.lags if r <= min(shape) // 2]
        padded = [n + max(lags) for n in shape]
        space = tuple(range(1, pore.ndim))
        spectrum = torch.fft.rfftn(pore, padded, dim=space)
        correlation = torch.fft.irfftn(spectrum.real.square() + spectrum.imag.square(), padded, dim=space)
        offsets = [tuple(r * d for d in direction) for direction in self.directions for r in lags]
        pairs = [math.prod(n - abs(o) for n, o in zip(shape, offset, strict=True)) for offset in offsets]
        index = tuple(torch.tensor(axis, device=pore.device) for axis in zip(*offsets, strict=True))
        return correlation[(slice(None), *index)] / torch.tensor(pairs, device=pore.device)

    def _lineal_path(self, pore: torch.Tensor) -> torch.Tensor:
        pool = {3: functional.avg_pool2d, 4: functional.avg_pool3d}[pore.ndim]
        features = []
        while min(pore.shape[1:]) >= 8:
            for direction in self.directions:
                # A direction that points backwards along an axis points forwards in the image flipped along it.
                runs = pore.flip([axis + 1 for axis, d in enumerate(direction) if d < 0])
                for length in (1, 2):
                    step = [length * abs(d) for d in direction]
                    ends = [n - s for n, s in zip(runs.shape[1:], step, strict=True)]
                    front = runs[(slice(None), *(slice(0, e) for e in ends))]
                    runs = front * runs[(slice(None), *(slice(s, None) for s in step))]
                    features.append(runs.flatten(1).mean(1))
            pore = pool(pore[:, None], 2)[:, 0]
        return torch.stack(features, 1)
