"""Viewers and their rights, tokens, public keys and the audit log."""
