"""What reading letters is worth on the answers of real systems."""
