"""Where everything is stored: the engine, the tables, their migrations, and queries grouped by what they are about."""
