"""Webhooks: registrations, signing, and delivery to the receivers of an organization."""
