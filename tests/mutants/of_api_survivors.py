"""Bugs of the API, webhooks and connections that no test found: "Bugs without a prepared test" in ``docs/proof.md``."""

from tests.mutants.mutant import Mutant

OF_API_SURVIVORS = (
    Mutant(
        "closed-connections-count",
        "Connections that an organization has closed count for its limit for ever",
        "serving/connection_table.py",
        "        self.release(transport)\n        connection = self._by_transport.pop(transport, None)\n",
        "        connection = self._by_transport.pop(transport, None)\n        self.release(transport)\n",
        ("tests/serving/test_any_connections.py::test_the_table_knows_each_connection_as_it_is",),
    ),
    Mutant(
        "all-places-for-one",
        "An organization's hanging receivers take all places for webhooks at once",
        "webhooks/delivering.py",
        "                counts[one.organization_id] += 1\n",
        "",
        ("tests/webhooks/test_under_way.py::test_no_organization_takes_the_places_of_others",),
    ),
    Mutant(
        "away-is-revoked",
        "While the token file can't be read, every open page is disconnected as if its token was revoked",
        "api/auth/session.py",
        "those that were accepted stay until the file is mended\n            return True",
        "those that were accepted stay until the file is mended\n            return False",
        ("tests/api/auth/test_session.py::test_what_a_session_may_do",),
    ),
    Mutant(
        "log-after-the-end",
        "A stream token downloads the log for a day after its sync has ended",
        "api/rest/log.py",
        "            if grant is not None:\n                grant.require_valid_for(log.sync)\n",
        "",
        ("tests/api/rest/test_stream_token_routes.py::test_every_route_refuses_a_token_once_its_sync_has_ended",),
    ),
    Mutant(
        "changes-without-audit",
        "An answer with changes of patients is given from memory, without an entry in the audit log",
        "api/graphql/context.py",
        '        """The service for changes of patients, likewise."""\n        self.personal.is_read = True\n',
        '        """The service for changes of patients, likewise."""\n',
        ("tests/api/auth/test_patient_intruders.py::test_each_read_of_patients_is_recorded",),
    ),
    Mutant(
        "total-after-a-fragment",
        "A total that is selected after a fragment is not counted, so that the query fails",
        "api/graphql/connection_pages.py",
        "            if _names(one.selections, path):\n                return True\n",
        "            return _names(one.selections, path)\n",
        ("tests/api/graphql/test_any_selection.py::test_a_selection_may_be_written_in_any_way",),
    ),
)
