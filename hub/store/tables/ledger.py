"""The ledger of what members gave and what came of it, the items and standings that are computed from it, and what was asked back."""
