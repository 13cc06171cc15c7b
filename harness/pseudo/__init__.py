"""Pseudo-captions for molecules that nobody has described: the data that ada-T5 adapts on.

A molecule without a caption meets the most similar molecule with one; a writer turns that neighbour's
caption into one for the molecule. Importing this package imports nothing heavy.
"""
