"""Keys, generations and the list of kept files, in one SQL schema. It never stores speech."""
