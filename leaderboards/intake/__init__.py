"""What people hand in, read safely, and what may stand in a table."""
