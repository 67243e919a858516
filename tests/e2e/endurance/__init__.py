"""The application for half an hour under faults and crashes: producers, investigators, and an account at the end."""
