"""Who may ask, and what was asked: keys and generations in one SQL schema. Never any speech."""
