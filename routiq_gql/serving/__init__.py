"""Serves the ASGI application on the network: uvicorn, its protocols, and limits on connections."""
