"""Video to clips: the decoding process and its cage, windows, frame picks; cutting and drawing.

    file ──file_check──▶ decode_process ══socket══▶ caged: packets ─▶ timeline ─▶ pictures, sound
                              │
                              └──▶ Clip, Clip, …, VideoFacts

The only package that knows PyAV and ffmpeg. `decode` is all that most of the project calls. Clips
are cut out as files of their own by the ffmpeg program (`ffmpeg_process`), in a cage as well.
"""
