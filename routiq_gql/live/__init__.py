"""Publishes committed changes to their watchers in this process."""
