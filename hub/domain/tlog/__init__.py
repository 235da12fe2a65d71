"""The transparency log in its formats: RFC 6962 trees, and C2SP tiles, notes, checkpoints, cosignatures and proofs. All pure."""
