"""Results that travel: a board's rows in the forms that others read, and others' results on a board."""
