"""Where boards go, and whether what they say is so."""
