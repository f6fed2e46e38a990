"""Learned surrogates of the simulators: from a microstructure to its properties."""
