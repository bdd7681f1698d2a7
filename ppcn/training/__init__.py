"""The training engine: batches and losses in, weights out; interrupted runs go on to the bit."""
