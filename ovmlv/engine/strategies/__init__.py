"""Ways to spread a training over processes."""
