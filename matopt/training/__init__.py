"""What every model learns by: the training loop, its reports, and probes away from the data."""
