"""The process model of sandstone."""
