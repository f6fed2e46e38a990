"""What moves of a microstructure do to its properties, in the physics and in a model."""
