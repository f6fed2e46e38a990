"""The parts of variational autoencoders: networks, batches and losses."""
