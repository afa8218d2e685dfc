"""SQLite: one file, or memory that is gone at the end."""
