"""What one GPU does with everything here that wants one, in one command and eight minutes."""
