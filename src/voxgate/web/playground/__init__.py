"""The playground: one recording to words, to hear, correct and take along."""
