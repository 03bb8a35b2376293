"""REST under ``/api/v1/sync``, for clients of the documented endpoints. ``routes`` has them all."""
