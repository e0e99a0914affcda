"""Sweeps: many runs that answer one question, made from one short description. No torch."""
