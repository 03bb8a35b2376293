"""REST under ``/api/v1``, for clients of the documented endpoints and for patients. ``routes`` has them all."""
