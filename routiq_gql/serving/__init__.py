"""Puts the ASGI application on the network: uvicorn, its protocols, connections and their limits."""
