"""Learned surrogates of the simulators."""
