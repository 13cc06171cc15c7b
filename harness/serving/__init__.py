"""Every model behind one server: what OpenAI's clients speak, and the released routes of Mozi and MedicalGPT.

Importing this package imports nothing heavy; `harness.serving.app` needs the extra `serve`.
"""
