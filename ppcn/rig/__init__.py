"""Virtual cameras with known geometry."""
