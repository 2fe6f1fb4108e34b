"""What a run leaves: records, the folder that holds them, and the leaderboard's arithmetic."""
