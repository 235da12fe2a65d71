"""Use cases: one public function per thing that somebody can ask for. They take and give domain values, never a request or a row."""
