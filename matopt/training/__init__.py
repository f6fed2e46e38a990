"""The one training loop, and the losses."""
