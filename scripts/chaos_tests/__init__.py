"""The parts of ``scripts/chaos.py``: verbs, their inputs, their runs, fault injection, and checks of the leftovers."""
