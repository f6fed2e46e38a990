"""Elasticity by finite elements: the cell problem, its element, its preconditioner."""
