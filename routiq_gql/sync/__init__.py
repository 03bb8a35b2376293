"""The sync: its progress, its eight steps, who runs it and who is told. Knows no HTTP and no GraphQL."""
