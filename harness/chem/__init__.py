"""Molecules: SMILES read safely, files of molecules with captions in every form, samples, overlap, pictures.

Public for plugin authors: everything that the bundled molecule tasks and metrics are built of. Importing
this package imports nothing heavy; modules that need RDKit say so at their top.
"""
