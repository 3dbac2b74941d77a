"""Programmes: one file each, all with the same verbs (columns, rows, cost, met)."""
