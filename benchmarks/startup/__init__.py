"""What the program costs before it does any work."""
