"""Connectors that come with the hub: one file for each kind of source. README.md says how to write and run one."""
