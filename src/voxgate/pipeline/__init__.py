"""The path of one recording: decode, detect speech, cut into windows, recognise, join."""
