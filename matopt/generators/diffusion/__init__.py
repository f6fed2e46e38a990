"""The parts of diffusion models of two-phase microstructures: denoiser, training loss, sampler and guidance."""
