"""Trained networks on photos: any size, exactly, with several runtimes."""
