"""Figures: each is made from what was asked for, and says in words what it is."""
