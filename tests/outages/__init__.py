"""What happens when a store fails: provoked on real stores, compared with the documentation."""
