"""Learned distributions of microstructures."""
