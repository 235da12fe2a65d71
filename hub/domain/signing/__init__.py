"""Signatures of objects and statements: keys, JSON Web Signatures, and what of a STIX object is signed."""
