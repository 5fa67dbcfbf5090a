"""Training and evaluation. Imports the backend; is never imported by it."""
