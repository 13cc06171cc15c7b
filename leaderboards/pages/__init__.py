"""Tables as Markdown, CSV, JSON, LaTeX and pages."""
