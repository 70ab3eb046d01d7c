"""Small studies whose tables stand in the documentation."""
