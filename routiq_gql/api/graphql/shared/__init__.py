"""Subscriptions that many clients have open alike: one execution and one encoding of each value for all of them.

``operations`` finds the operation that a request shares, ``operation`` executes it, ``payload`` is an encoded result,
and ``socket`` and ``stream`` are its subscribers.
"""
