"""The organization that most tests sync."""

ORGANIZATION = "org_2xwHiNrj68eaRUlX10anlXGvzX7"
