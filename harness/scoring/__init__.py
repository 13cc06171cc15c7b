"""The scoring room: how answers are read, and the scores, intervals and tests that are made of them."""
