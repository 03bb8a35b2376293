"""``python -m routiq_gql`` is the same as ``routiq-gql``."""

from routiq_gql.cli import main

if __name__ == "__main__":
    main()
