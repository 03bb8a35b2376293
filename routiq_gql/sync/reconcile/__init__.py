"""Compares a sync's draft with Cliniko by counts, repairs what differs, and writes the receipt.

The pipeline uses it at these moments::

    reconciler = Reconciler(client, database, draft, terms, mirroring)
    await reconciler.count_before(resource)   # incremental: before the first request for each counted list
    ...                                       # all lists are read, and appointments before the horizon are aged out
    receipt = await reconciler.run(whole)     # the end of step 6

``count_before`` saves requests: if the reading that follows brings nothing new, its list agrees without another one.
It is optional, so a sync that resumes leaves it out. ``run`` may be repeated after an interruption.

The sync implements ``Mirroring``. The reconciler writes to the database only through it.
"""

from routiq_gql.sync.reconcile.reconciler import Reconciler
from routiq_gql.sync.reconcile.terms import Effort, FullReadNeeded, Mirroring, Terms

__all__ = ["Effort", "FullReadNeeded", "Mirroring", "Reconciler", "Terms"]
