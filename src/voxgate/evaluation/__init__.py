"""Word error rates on a user's own recordings: references, normalisation, counts and reports.

It knows neither who transcribes nor the command line. Importing it imports only the standard
library; the libraries of the extra `eval` are imported where texts are scored and pages written.
"""
