"""Slow viscous flow: in ducts, between grains, through grains."""
