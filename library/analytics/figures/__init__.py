"""Figures of the statistics pages: each function turns a query into a chart or table."""
