"""An evaluation for people and programs: a table, JSON and a page."""
