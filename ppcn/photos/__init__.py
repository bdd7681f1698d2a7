"""Photo files to pixels and back, with everything else that they hold."""
