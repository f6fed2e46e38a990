"""Better microstructures by gradient ascent, in latent or in pixel space."""
