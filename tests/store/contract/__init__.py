"""What every backend of the store has to pass."""
