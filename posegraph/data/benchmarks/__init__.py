"""Data sets that papers compare on."""
