"""Measure Tandem: how long it takes, how much memory, and how both grow with the installation."""
