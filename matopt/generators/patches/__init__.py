"""The parts of patch statistics: pyramids of images, and transport between the patches of two."""
