"""Where authentic microstructures come from, one file a source."""
