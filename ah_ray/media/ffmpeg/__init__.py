"""What the ffmpeg program does, in the same sandbox: cutting clips, drawing videos."""
