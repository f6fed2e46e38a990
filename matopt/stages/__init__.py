"""The stages of a study as plain functions."""
