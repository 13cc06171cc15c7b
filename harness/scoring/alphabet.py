"""The letters by which choices are known, and the version of how they are read; light, for cards."""

from string import ascii_uppercase

LETTERS = ascii_uppercase
VERSION = "4"  # of what is read: scores of different versions are not compared
