"""Fusion Hub: industry and government exchange STIX 2.1 over TAXII 2.1, under policies that reward reporting back."""

__version__ = "0.1.0"
