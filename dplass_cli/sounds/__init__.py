"""Procedural sounds: seeded, labelled clips of everyday sound classes, synthesised with numpy."""

from dplass_cli.sounds.catalogue import CATALOGUE, SoundClass
from dplass_cli.sounds.rendering import render

__all__ = ["CATALOGUE", "SoundClass", "render"]
