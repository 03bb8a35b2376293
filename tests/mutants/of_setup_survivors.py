"""Bugs of commands, checks, settings and connections that no test found; see ``docs/proof.md``."""

from tests.mutants.mutant import Mutant

OF_SETUP_SURVIVORS = (
    Mutant(
        "export-left-by-ctrl-c",
        "An export that Ctrl-C ends leaves a hidden file with patients",
        "cli/export.py",
        "    except BaseException:\n        with suppress(OSError):\n            part.unlink()",
        "    except Exception:\n        with suppress(OSError):\n            part.unlink()",
        ("tests/cli/test_exports.py::test_nothing_is_left_of_an_export_that_does_not_end",),
    ),
    Mutant(
        "every-drops-live",
        "A schedule with an interval ignores that the organization is to be kept live",
        "cli/schedule.py",
        "    if live is not None:\n        open_terminal().print(run(_keep_live",
        "    elif live is not None:\n        open_terminal().print(run(_keep_live",
        ("tests/cli/test_options.py::test_a_schedule",),
    ),
    Mutant(
        "still-in-the-files",
        "A repeated erasure does not say that the database's files still hold the patient",
        "cli/erase_patient.py",
        "    if not erased.is_gone:",
        "    if not erased.is_gone and not erased.was_erased:",
        ("tests/cli/test_erase_patient.py::test_each_outcome_is_said_whatever_the_others_are",),
    ),
    Mutant(
        "unwatched-more-often",
        "With long intervals, clinics that no client reads are looked at more often than others",
        "sync_settings.py",
        "return max(self.refresh_interval, min(UNWATCHED_TIMES * self.refresh_interval, LONGEST_UNWATCHED_SECONDS))",
        "return min(UNWATCHED_TIMES * self.refresh_interval, LONGEST_UNWATCHED_SECONDS)",
        ("tests/test_looks_settings.py::test_an_organization_that_no_client_reads_is_looked_at_less_often",),
    ),
    Mutant(
        "name-before-content",
        "A server that reads the token file while it is written finds no token",
        "private_file.py",
        "                file.flush()\n                os.fsync(file.fileno())\n",
        "                os.fsync(file.fileno())\n",
        ("tests/test_private_file.py::test_a_reader_finds_a_whole_file_after_each_step",),
    ),
    Mutant(
        "malformed-ends-the-answer",
        "Bytes that are no request end the slow answer to the request before them",
        "serving/http_parsing.py",
        "            self._is_malformed = True  # its refusal comes after the answers to the requests before it\n"
        "            self._is_receiving = False\n",
        "            self._is_malformed = True  # its refusal comes after the answers to the requests before it\n",
        ("tests/serving/test_request_deadline.py::test_nothing_behind_a_request_limits_the_time_of_its_answer",),
    ),
)
