"""The parts of convolutional predictors: the network, and the scales that it learns on."""
