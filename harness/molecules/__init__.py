"""Molecules with captions: tasks in both directions, readers of every form, checks, overlap, pictures.

Public for plugin authors: everything that the bundled molecule tasks are built of. Importing this package
imports nothing heavy; modules that need RDKit say so at their top.
"""
