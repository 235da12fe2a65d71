"""Sharing agreements, and requests for wider release."""
