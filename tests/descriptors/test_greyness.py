import torch

from matopt.descriptors.greyness import grey_share


def test_grey_share_counts_undecided_voxels() -> None:
    density = torch.tensor([[0.0, 1.0, 0.05, 0.95], [0.5, 0.2, 0.89, 1.0]]).view(2, 1, 2, 2)
    assert grey_share(density).tolist() == [0.0, 0.75]
