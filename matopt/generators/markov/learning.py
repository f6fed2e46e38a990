"""Decision trees learnt from voxels and their neighbourhoods, by scikit-learn."""

from __future__ import annotations

import numpy as np

from matopt.generators.markov.forest import Forest, Tree
from matopt.generators.markov.neighbourhood import Examples

LEAF, SHRINKAGE = 100, 10.0
"""Fewest voxels in a leaf of a boosted tree, and the ridge penalty of its value: neighbouring voxels are no independent
examples."""
CERTAIN = 1e-6
"""Probabilities of a single tree are kept this far from 0 and 1, where logits have no value."""


def single_tree(examples: Examples, smallest_leaf: int, seed: int) -> Forest:
    """Learn one decision tree; a leaf's probability of grain is the share of grain among its voxels.

    Args:
        examples: to learn from.
        smallest_leaf: fewest voxels in a leaf.
        seed: decides between splits that are equally good.
    """
    from sklearn.tree import DecisionTreeClassifier

    learnt = DecisionTreeClassifier(min_samples_leaf=smallest_leaf, random_state=seed % 2**32)
    learnt.fit(examples.neighbours, examples.phase)
    tree = learnt.tree_
    weights = np.zeros((tree.node_count, 2))
    weights[:, learnt.classes_] = tree.value[:, 0]
    probability = (weights[:, 1] / weights.sum(1)).clip(CERTAIN, 1 - CERTAIN)
    children = np.stack([tree.children_left, tree.children_right], 1)
    return Forest.of([Tree(np.maximum(tree.feature, -1), children, np.log(probability / (1 - probability)))], 0.0)


def boosted_trees(examples: Examples, trees: int, leaves: int, learning_rate: float, seed: int) -> Forest:
    """Learn a sum of decision trees by gradient boosting of the logit (Friedman 2001), on histograms.

    Args:
        examples: to learn from.
        trees: how many.
        leaves: of a tree, at most.
        learning_rate: by which each tree's values are scaled.
        seed: of what little is random.
    """
    from sklearn.ensemble import HistGradientBoostingClassifier

    learnt = HistGradientBoostingClassifier(
        max_iter=trees,
        max_leaf_nodes=leaves,
        learning_rate=learning_rate,
        min_samples_leaf=LEAF,
        l2_regularization=SHRINKAGE,
        early_stopping=False,
        random_state=seed % 2**32,
    )
    learnt.fit(examples.neighbours, examples.phase)
    grown = []
    for (predictor,) in learnt._predictors:  # scikit-learn has no public way to a boosted tree's nodes
        nodes = predictor.nodes
        feature = np.where(nodes["is_leaf"], -1, nodes["feature_idx"])
        grown.append(Tree(feature, np.stack([nodes["left"], nodes["right"]], 1), nodes["value"]))
    return Forest.of(grown, float(learnt._baseline_prediction.item()))
