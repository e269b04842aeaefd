"""The engine: separating recordings by sentences."""
