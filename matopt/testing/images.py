"""Random microstructures for tests, of any shape and at no cost."""

from __future__ import annotations

import numpy as np

from matopt.microstructures import Microstructures


def random_microstructures(n: int, shape: tuple[int, ...], seed: int) -> Microstructures:
    """Threshold periodic Gaussian random fields, at porosities between 0.1 and 0.5.

    Args:
        n: how many.
        shape: of one, 2D or 3D; 8 voxels at least along an edge.
        seed: of the fields and the porosities.
    """
    random = np.random.default_rng(seed)
    frequencies = np.meshgrid(*[np.fft.fftfreq(edge) for edge in shape], indexing="ij")
    blur = np.exp(-((2 * np.pi * 2.0) ** 2) * sum(f**2 for f in frequencies) / 2)
    axes = tuple(range(1, len(shape) + 1))
    fields = np.fft.ifftn(np.fft.fftn(random.standard_normal((n, *shape)), axes=axes) * blur, axes=axes).real
    flat = fields.reshape(n, -1)
    levels = [np.quantile(field, porosity) for field, porosity in zip(flat, random.uniform(0.1, 0.5, n), strict=True)]
    return Microstructures((flat > np.array(levels)[:, None]).reshape(fields.shape).astype(np.uint8), 1e-6)
