"""From a video's clips to its verdict: pure arithmetic."""
