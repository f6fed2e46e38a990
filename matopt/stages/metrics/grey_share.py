"""How undecided raw samples are."""

from __future__ import annotations

from matopt.descriptors.greyness import grey_share
from matopt.stages.metrics.base import METRICS, SampleMetric, Samples


@METRICS.register("grey_share")
class GreyShare(SampleMetric):
    """Share of the raw samples' voxels with a density between 0.1 and 0.9, which binarising hides."""

    direction = "minimize"

    def value(self, samples: Samples) -> float:
        """Average over the samples."""
        return float(grey_share(samples.raw).mean())
