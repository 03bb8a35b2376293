"""All planted bugs: ``make mutants`` must find every one of them."""

from tests.mutants.of_feeds import OF_FEEDS
from tests.mutants.of_sharing import OF_SHARING
from tests.mutants.of_syncs import OF_SYNCS
from tests.mutants.of_the_rest import OF_THE_REST

MUTANTS = (*OF_SYNCS, *OF_FEEDS, *OF_SHARING, *OF_THE_REST)
