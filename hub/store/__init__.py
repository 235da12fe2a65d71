"""SQL and nothing else: tables, connections, one module per noun. Functions take a `Connection` first and give domain values."""
