"""Scoring: how answers are read and what is made of them."""
