"""Where microstructures come from and where they rest: files, windows, splits, the sandstone process model, labels."""
