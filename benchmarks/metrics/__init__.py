"""How much processor time scoring takes, against the straightforward way."""
