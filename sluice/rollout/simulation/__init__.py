"""Made users and made candidates through the very code of the gates, and through fixed thresholds beside it."""
