"""How far the two-point correlation of samples is from the authentic one."""

from __future__ import annotations

from matopt.descriptors.correlation import radial_correlation
from matopt.stages.metrics.base import METRICS, SampleMetric, Samples


@METRICS.register("s2_error")
class S2Error(SampleMetric):
    """Relative L2 error of the radial two-point correlation's mean, up to a third of the smallest edge."""

    direction = "minimize"
    label = "S2 error"

    def value(self, samples: Samples) -> float:
        """Compare the means over the binarised samples and over the authentic microstructures."""
        radius = min(samples.binary.shape[2:]) // 3
        s2, reference = (radial_correlation(d, radius)[1].mean(0) for d in (samples.binary, samples.authentic))
        return float((s2 - reference).norm() / reference.norm())
