"""The documented handlers, each with the real framework; `serving` runs them, good or spoilt."""
