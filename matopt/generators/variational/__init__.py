"""What variational autoencoders are made of."""
