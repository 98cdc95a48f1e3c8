"""Whisper by CTranslate2: its folder, its windows, and the times of words."""
