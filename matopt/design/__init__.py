"""Design of microstructures: an optimiser raises a predicted property over the coordinates of a space."""
