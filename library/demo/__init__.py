"""Seeded generators of a demo library: files in the import format, no database."""
