"""Where the hub's own private keys are kept, and how they sign."""
