"""The verbs of the leaderboards."""
