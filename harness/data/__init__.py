"""Files of rows, whatever field they are of: lines, CSV, JSON, splits, the hub, near duplicates.

Public for plugin authors. Importing this package imports nothing; every reader bounds what it holds and
says what is wrong with a file as file, line, expected and found.
"""
