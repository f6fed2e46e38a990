"""What convolutional predictors are made of."""
