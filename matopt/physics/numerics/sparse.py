"""Sparse matrices in compressed rows (CSR), of a batch of systems side by side."""

from __future__ import annotations

import warnings

import numpy as np
import torch
from scipy.sparse import csr_array


def on_device(matrix: csr_array, like: torch.Tensor) -> torch.Tensor:
    """Move a SciPy matrix to the device and precision of ``like``, with 32-bit indices."""
    rows, columns = (
        torch.from_numpy(index.astype(np.int32, copy=False)).to(like.device)
        for index in (matrix.indptr, matrix.indices)
    )
    return compressed(rows, columns, torch.from_numpy(matrix.data).to(like), matrix.shape)


def product(
    matrix: torch.Tensor, x: torch.Tensor, added: torch.Tensor | None = None, scale: float = 1.0
) -> torch.Tensor:
    """Multiply: ``matrix @ x``; with a vector to add it to, ``added + scale * matrix @ x``."""
    if x.is_cuda or torch.backends.mkl.is_available():
        return matrix.mv(x) if added is None else torch.addmv(added, matrix, x, alpha=scale)
    # PyTorch multiplies sparse matrices on a processor by Intel's library alone.
    parts = (t.numpy() for t in (matrix.values(), matrix.col_indices(), matrix.crow_indices()))
    found = torch.from_numpy(csr_array(tuple(parts), shape=tuple(matrix.shape)) @ x.numpy())
    return found if added is None else added.add(found, alpha=scale)


def compressed(rows: torch.Tensor, columns: torch.Tensor, values: torch.Tensor, shape: tuple[int, int]) -> torch.Tensor:
    """Build a matrix from where its rows start, and its entries."""
    with warnings.catch_warnings():
        # Only that the layout is in beta.
        warnings.simplefilter("ignore", UserWarning)
        return torch.sparse_csr_tensor(rows, columns, values, size=shape, check_invariants=False)


def part(matrix: torch.Tensor, rows: torch.Tensor, columns: torch.Tensor) -> torch.Tensor:
    """Cut out the rows and columns that two masks keep; rows that are kept must have no entry in other columns."""
    counts = matrix.crow_indices().diff()
    entries = rows.repeat_interleave(counts)
    number = columns.cumsum(0, dtype=torch.int32) - 1
    ends = counts[rows].cumsum(0, dtype=torch.int32)
    return compressed(
        torch.cat([ends.new_zeros(1), ends]),
        number[matrix.col_indices()[entries]],
        matrix.values()[entries],
        (len(ends), int(columns.sum())),
    )
