"""The store of labels: properties that were computed, kept for all studies."""
