"""Trusted documents: GraphQL documents that the server knows in advance, so that clients send an id instead of a text.

``manifests`` reads the operator's files, ``documents`` finds a document by its id, and ``requests`` reads the ids of a
request. ``own.json`` has the documents of the page, the element and the React component; ``make schema`` writes it.
"""
