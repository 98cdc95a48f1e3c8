"""Speed, memory and accuracy, measured: `make bench` prints one table."""
