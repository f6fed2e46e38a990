"""Judges of generators: how far what they draw is from authentic microstructures, and how far those are apart."""
