"""Data sets and weights of others: where they are, and how they are downloaded and checked."""
