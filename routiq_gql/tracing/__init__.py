"""Traces of OpenTelemetry, switched on by ``ROUTIQ_TRACES``: operation, sync, and each request to Cliniko.

Only this package imports OpenTelemetry, and only when traces are on: ``opening`` imports the other modules then. Parts
get a ``Tracing``, or ``None`` when traces are off. OpenTelemetry's instrumentation packages are not used: those of ASGI
and httpx record whole addresses, which hold ids of patients, and Strawberry's extension records documents.
"""
