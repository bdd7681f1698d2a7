"""What stages and tools share on the command line."""
