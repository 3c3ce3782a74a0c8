"""What a run tells: a table on the terminal, a JSON file and plots."""
