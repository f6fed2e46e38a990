"""Diffusion by finite volumes: cells, their conductances, multigrid."""
