"""Learn, predict and design material microstructures from a few hundred images, with physics you can check."""
