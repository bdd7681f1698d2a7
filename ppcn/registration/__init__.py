"""From two photos of one scene to the mapping between them, or the reason of rejection."""
