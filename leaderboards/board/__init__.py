"""A row's numbers computed here, the folder that keeps them, and the tables that they give."""
