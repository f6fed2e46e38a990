"""The optimisers of designs, one file each."""
