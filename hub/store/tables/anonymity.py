"""Who asked not to be known, the renditions that were made, and who lifted anonymity."""
