"""Copies a clinic's patients and appointments from Cliniko, works out who is active, and shows it live."""

__version__ = "0.1.0"
