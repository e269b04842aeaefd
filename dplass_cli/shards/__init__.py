"""Shards: tar files of clips, on this machine or at any address that fsspec opens. Written by ``prepare shards``."""
