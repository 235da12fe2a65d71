"""The JSON API under /api/v1/: a module of operations for each noun, and the description that is generated from them."""
