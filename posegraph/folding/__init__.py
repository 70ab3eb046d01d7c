"""Networks in the exact, cheaper form of inference."""
