"""Storage: where runs are kept. `base` is the Protocol; each store is a file."""
