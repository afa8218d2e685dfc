"""The README's pictures, made from the real program so that they cannot lie."""
