"""Patients for readers: the lists of patients, and why a patient is in one."""
