"""Video to clips: windows, frame picks, and the one ffmpeg pass that fills them.

    path ──refuse──▶ probe ──plan, picks──▶ select filter ──ffmpeg──▶ Clip, Clip, …, VideoFacts

The only package that knows ffmpeg. `decode` is all that the rest of the project calls.
"""
