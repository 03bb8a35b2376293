"""Copies a clinic's patients and appointments from Cliniko, finds its active patients, and shows each sync live."""

__version__ = "0.1.0"
