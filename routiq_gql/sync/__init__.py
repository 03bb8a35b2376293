"""The sync: its model, its eight steps, how it runs and how it ends. Imports no HTTP and no GraphQL."""
