"""The exit codes of all commands, and the exception for a command that a signal stopped."""

EXIT_FAILED = 1
EXIT_USAGE = 2
EXIT_CANCELLED = 3
EXIT_CHANGED_SINCE = 4
EXIT_STOPPED = 130  # 128 + SIGINT, as shells have it


class Stopped(Exception):
    """Ctrl-C or SIGTERM ended the command; everything has been cleaned up."""
