"""The study file: read, checked, and ready to be run."""
