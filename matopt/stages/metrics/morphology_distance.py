"""How far the morphology of samples is from the authentic one."""

from __future__ import annotations

from matopt.descriptors.patterns import PatternRoots
from matopt.descriptors.style import StyleFeatures, morphology_distance
from matopt.descriptors.style_blocks import FilterGrams, SegmentStatistics
from matopt.stages.metrics.base import METRICS, SampleMetric, Samples


@METRICS.register("morphology_distance")
class MorphologyDistance(SampleMetric):
    """Energy distance between the style vectors of binarised samples and of authentic microstructures.

    See :func:`matopt.descriptors.style.morphology_distance`.
    """

    direction = "minimize"

    def value(self, samples: Samples) -> float:
        """Measure by other random filters than those that a generator may have been trained by, and single voxels."""
        dimensions = samples.raw.ndim - 2
        blocks = [FilterGrams(dimensions, seed=1), SegmentStatistics(dimensions), PatternRoots(samples.train)]
        return morphology_distance(StyleFeatures(samples.train, blocks), samples.binary, samples.authentic)
