"""Domains of sound: the partition of the captions, its centroids and its validation mixtures."""
