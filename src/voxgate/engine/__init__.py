"""A model as a process: what runs inside it, and the socket protocol that it speaks."""
