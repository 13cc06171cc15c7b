"""What pseudo-data costs."""
