"""The parts of autoencoders, variational and not: networks, batches and losses."""
