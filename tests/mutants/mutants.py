"""All planted bugs: ``make mutants`` must find every one of them."""

from tests.mutants.of_api_survivors import OF_API_SURVIVORS
from tests.mutants.of_core_survivors import OF_CORE_SURVIVORS
from tests.mutants.of_feeds import OF_FEEDS
from tests.mutants.of_looks import OF_LOOKS
from tests.mutants.of_mirror_survivors import OF_MIRROR_SURVIVORS
from tests.mutants.of_operation_survivors import OF_OPERATION_SURVIVORS
from tests.mutants.of_setup_survivors import OF_SETUP_SURVIVORS
from tests.mutants.of_shared_survivors import OF_SHARED_SURVIVORS
from tests.mutants.of_sharing import OF_SHARING
from tests.mutants.of_simulated_looks import OF_SIMULATED_LOOKS
from tests.mutants.of_surveyed import OF_SURVEYED
from tests.mutants.of_sync_survivors import OF_SYNC_SURVIVORS
from tests.mutants.of_syncs import OF_SYNCS
from tests.mutants.of_the_rest import OF_THE_REST
from tests.mutants.of_unseen import OF_UNSEEN
from tests.mutants.of_unseen_later import OF_UNSEEN_LATER

MUTANTS = (
    *OF_SYNCS,
    *OF_FEEDS,
    *OF_SHARING,
    *OF_LOOKS,
    *OF_SIMULATED_LOOKS,
    *OF_THE_REST,
    *OF_UNSEEN,
    *OF_UNSEEN_LATER,
    *OF_SURVEYED,
    *OF_SYNC_SURVIVORS,
    *OF_API_SURVIVORS,
    *OF_SHARED_SURVIVORS,
    *OF_OPERATION_SURVIVORS,
    *OF_MIRROR_SURVIVORS,
    *OF_SETUP_SURVIVORS,
    *OF_CORE_SURVIVORS,
)
