"""Sets up a shared history, and shows who uses it."""
