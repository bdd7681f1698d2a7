"""The command line: one short module per stage or user command."""
