"""How far the morphology of samples is from the authentic one."""

from __future__ import annotations

from matopt.descriptors.style import morphology_distance
from matopt.stages.judgement.style import judging_features
from matopt.stages.metrics.base import METRICS, SampleMetric, Samples


@METRICS.register("morphology_distance")
class MorphologyDistance(SampleMetric):
    """Energy distance between the style vectors of binarised samples and of authentic microstructures.

    See :func:`matopt.descriptors.style.morphology_distance`.
    """

    direction = "minimize"

    def value(self, samples: Samples) -> float:
        """Measure by other random filters than those that a generator may have been trained by, and single voxels."""
        return morphology_distance(judging_features(samples.train), samples.binary, samples.authentic)
