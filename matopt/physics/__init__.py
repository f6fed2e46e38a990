"""Simulators: density to property, batched in torch, and the bounds they obey."""
