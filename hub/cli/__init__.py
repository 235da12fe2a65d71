"""The commands of `hub`, a module for each noun."""
