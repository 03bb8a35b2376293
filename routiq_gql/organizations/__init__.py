"""Reads an organization's dashboard and history, lists organizations, and changes their schedules."""
