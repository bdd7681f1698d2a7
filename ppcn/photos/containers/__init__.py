"""What photo files hold beside their pixels: a module for each kind of container."""
