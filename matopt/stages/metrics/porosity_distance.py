"""How far the distribution of the samples' porosity is from the authentic one."""

from __future__ import annotations

from scipy.stats import wasserstein_distance

from matopt.descriptors.phases import volume_fraction
from matopt.stages.metrics.base import METRICS, SampleMetric, Samples


@METRICS.register("porosity_distance")
class PorosityDistance(SampleMetric):
    """First Wasserstein distance between the porosities of binarised samples and of authentic microstructures."""

    direction = "minimize"

    def value(self, samples: Samples) -> float:
        """Compare the two sets of porosities."""
        drawn, authentic = (volume_fraction(d.double()).cpu() for d in (samples.binary, samples.authentic))
        return float(wasserstein_distance(drawn, authentic))
