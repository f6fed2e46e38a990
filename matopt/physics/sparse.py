"""Sparse matrices in compressed rows, of a batch of systems side by side."""

from __future__ import annotations

import warnings

import numpy as np
import torch
from scipy.sparse import csr_array


def on_device(matrix: csr_array, like: torch.Tensor) -> torch.Tensor:
    """A SciPy matrix on the device and in the precision of ``like``, with 32-bit indices."""
    rows, columns = (
        torch.from_numpy(index.astype(np.int32, copy=False)).to(like.device)
        for index in (matrix.indptr, matrix.indices)
    )
    return _compressed(rows, columns, torch.from_numpy(matrix.data).to(like), matrix.shape)


def part(matrix: torch.Tensor, rows: torch.Tensor, columns: torch.Tensor) -> torch.Tensor:
    """The rows and columns of a matrix that two masks keep; rows that are kept must not need other columns."""
    counts = matrix.crow_indices().diff()
    entries = rows.repeat_interleave(counts)
    number = columns.cumsum(0, dtype=torch.int32) - 1
    ends = counts[rows].cumsum(0, dtype=torch.int32)
    return _compressed(
        torch.cat([ends.new_zeros(1), ends]),
        number[matrix.col_indices()[entries]],
        matrix.values()[entries],
        (len(ends), int(columns.sum())),
    )


def _compressed(rows: torch.Tensor, columns: torch.Tensor, values: torch.Tensor, shape: tuple) -> torch.Tensor:
    with warnings.catch_warnings():
        # Only that the layout is in beta.
        warnings.simplefilter("ignore", UserWarning)
        return torch.sparse_csr_tensor(rows, columns, values, size=shape, check_invariants=False)
