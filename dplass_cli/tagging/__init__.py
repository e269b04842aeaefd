"""Tagging: which sounds a recording contains, and when, by the audio embeddings of overlapping windows."""
