"""Files that survive: whole or absent, on disk before they are called done, bounded where they are foreign.

Public for plugin authors. Importing this package imports nothing.
"""
