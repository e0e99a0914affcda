"""Families of backbones: a file for those that are built alike."""
