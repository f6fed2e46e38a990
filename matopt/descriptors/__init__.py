"""Measured geometry: correlation functions, lineal path, chords, surface, style."""
