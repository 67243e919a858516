"""What every capability builds on: errors, time, JSON, pages."""
