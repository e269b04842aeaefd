"""What ``scripts/chaos.py`` is made of: verbs and their inputs, runs, faults, and what is to remain."""
