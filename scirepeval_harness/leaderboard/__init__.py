"""From task scores to a leaderboard row, and published rows."""
