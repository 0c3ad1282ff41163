"""What a run says: progress, metrics, plan and summary."""
