"""Loops compiled by Numba: what a processor does in one pass where operations on tensors take many.

They are imported by what runs on a processor, and only then, so that a machine with a GPU needs no Numba. Each has its
twin in operations on tensors, which serves other devices and which the tests hold it against.
"""
