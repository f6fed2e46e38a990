"""The parts of Markov random fields: causal neighbourhoods, forests of decision trees, rasters drawn by them."""
