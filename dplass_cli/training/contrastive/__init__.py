"""Training of query encoders: clips and their captions are brought together, and all others apart."""
