"""The recipe of the training clips: where each comes from, and how it is made from its package."""
