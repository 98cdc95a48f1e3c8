"""The API keys and the generations, in one SQL schema. It never stores speech."""
