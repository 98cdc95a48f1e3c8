"""The Wyoming protocol over TCP, by which Home Assistant asks for the words of voice commands."""
